/**
 * Listeners of AbortSignals: however many share a signal, it has one of ours, and none once they are gone. Otherwise Node
 * warns of a leak at the eleventh.
 *
 * A Map, and not a WeakMap, which would cost a call with a signal as much again: whoever adds a listener takes it back.
 */
const listeners = new Map<EventTarget, (() => void) | Set<() => void>>()

const abort = ({ target }: Event): void => {
  const aborted = target === null ? undefined : listeners.get(target)
  if (target === null || aborted === undefined) return
  forget(target)
  if (typeof aborted === "function") return aborted()
  for (const listener of aborted) listener()
}

const forget = (signal: EventTarget): void => {
  listeners.delete(signal)
  signal.removeEventListener("abort", abort)
}

/** Calls a listener when a signal, which is not aborted yet, is. */
export const add = (signal: AbortSignal, listener: () => void): void => {
  const known = listeners.get(signal)
  if (known === undefined) {
    listeners.set(signal, listener)
    signal.addEventListener("abort", abort)
  } else if (typeof known === "function") listeners.set(signal, new Set([known, listener]))
  else known.add(listener)
}

/** Takes it back. */
export const remove = (signal: AbortSignal, listener: () => void): void => {
  const known = listeners.get(signal)
  if (known === listener) forget(signal)
  else if (known instanceof Set && known.delete(listener) && known.size === 0) forget(signal)
}
