import type { State } from "../lifecycle/Lifecycle.js"

/** Newest first. (H5) */
export type History = ReadonlyArray<boolean>

export const empty: History = []

const kept = 10

/** Milliseconds in which answers to callers count once. (H5) */
export const pace = 10_000

export const record = (history: History, ok: boolean): History =>
  history.length === kept && history.every((one) => one === ok) ? history : [ok, ...history].slice(0, kept)

/** Sign i, from the newest, weighs 0.5^i; 1 without history. */
export const score = (history: History): number => {
  if (history.length === 0) return 1
  let good = 0
  let all = 0
  history.forEach((ok, i) => {
    const weight = 0.5 ** i
    all += weight
    if (ok) good += weight
  })
  return good / all
}

export const threshold = 0.7

export type Health = "CONNECTED" | "UNHEALTHY" | "DISCONNECTED"

export const view = (state: State, history: History, everConnected: boolean): Health =>
  state._tag === "Connected"
    ? score(history) >= threshold ? "CONNECTED" : "UNHEALTHY"
    : (state._tag === "Connecting" || state._tag === "Reconnecting") && everConnected
    ? "UNHEALTHY"
    : "DISCONNECTED"
