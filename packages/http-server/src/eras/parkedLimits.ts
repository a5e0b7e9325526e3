import { type Bytes, mebibytes } from "@mcp-lifeline/core/text"
import { type Limits, Quota } from "@mcp-lifeline/protocol"
import { type Place, Places } from "../Places.js"

/** Of calls that wait for input. The oldest of the caller that has most is cancelled. */
export const parkedLimits = { count: 1000, bytes: mebibytes(64) }

/** Gives a call a place, for which others, or itself, may end. Returns what gives it back. `state`: that its client brings. */
export type Park = (bytes: Bytes, end: () => void, state: string) => () => void

/** By number, and by bytes. */
export const parkedPlaces = (): ReadonlyArray<Places> =>
  [parkedLimits.count, parkedLimits.bytes].map((most) => new Places(() => most, "too much waits"))

/** For the calls of an owner. */
export const parking = (places = parkedPlaces()) => (owner: string) => (bytes: Bytes, end: () => void): () => void => {
  const leave = (): void => {
    for (const one of places) one.leave(place)
  }
  const place: Place = {
    owner,
    end: () => {
      leave()
      end()
    }
  }
  for (const [index, one] of places.entries()) one.put(place, index === 0 ? 1 : bytes)
  for (const one of places) one.shrink(owner)
  return leave
}

/** Questions that clients have not been sent. A holder is a call. */
export const questionLimits: Limits = {
  holder: { item: mebibytes(1), count: 100, bytes: mebibytes(4) },
  all: { count: 10_000, bytes: mebibytes(64) }
}

/** Answers that came before their clients. A holder is a conversation. */
export const earlyLimits: Limits = {
  holder: { item: mebibytes(16), count: 1000, bytes: mebibytes(64) },
  all: { count: 2000, bytes: mebibytes(128) }
}

export const questions = new Quota(questionLimits)
export const early = new Quota(earlyLimits)
