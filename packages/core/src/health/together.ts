/** Whether servers are silent because of this machine. Pure; times in milliseconds. (V11) */
import { minute } from "../internal/Time.js"

/** One with a connection. */
export interface Server {
  /** Of its address; its own if it has none. */
  readonly origin: string
  /** When its first question without an answer was asked; `undefined` if there is none. */
  readonly silentSince: number | undefined
  readonly answeredAt: number
}

export interface Silent extends Server {
  readonly silentSince: number
  /** When the last of its questions was asked that had no answer. */
  readonly askedAt: number
  /** Within this time others became silent together with it. */
  readonly window: number
}

type Reach = "local" | "network"

/** Until a server answers; what is asked after that counts again. */
export interface Hold {
  readonly since: number
  readonly until: number
  readonly releasedAt: number | undefined
}

export interface Known {
  /** When the machine's addresses changed last. */
  readonly movedAt: number
  /** When connections were ended on silence alone, within the last minute. */
  readonly ended: ReadonlyArray<number>
  readonly holds: { readonly [R in Reach]?: Hold | undefined }
}

export const nothing: Known = { movedAt: Number.NEGATIVE_INFINITY, ended: [], holds: {} }

/** Nobody stays without its server for ever. */
const longestHold = 5 * minute
/** Addresses that changed count so long. */
const settling = minute
/** So long a question may be without an answer, in a window that is long enough. */
const quiet = ({ window }: Silent): number => Math.min(2000, window / 3)

/** The answer of a server on this machine says nothing about its network. */
export const reachOf = ({ origin }: Pick<Server, "origin">): Reach =>
  /^https?:\/\/(?!localhost\b|127\.|\[::1\])/i.test(origin) ? "network" : "local"

export const originOf = (target: string): string | undefined => /^https?:\/\/[^/?#]+/i.exec(target)?.[0]

const isShared = (mine: Silent, servers: ReadonlyArray<Server>, now: number): boolean => {
  const together = servers.filter(({ silentSince = now }) =>
    now - silentSince >= quiet(mine) && Math.abs(silentSince - mine.silentSince) <= mine.window
  )
  const origins = new Set(together.map(({ origin }) => origin))
  return origins.size >= 2 || (servers.length >= 3 && 2 * together.length > servers.length)
}

/** `undefined`: nothing speaks for this machine. */
const heldUntil = ({ movedAt }: Known, mine: Silent, servers: ReadonlyArray<Server>, now: number) => {
  if (isShared(mine, servers, now)) return Infinity
  return now - movedAt < settling ? movedAt + settling : undefined
}

const withHold = (known: Known, like: Server, hold: Hold | undefined): Known => ({
  ...known,
  holds: { ...known.holds, [reachOf(like)]: hold }
})

export const openHold = ({ holds }: Known, like: Server): Hold | undefined => {
  const hold = holds[reachOf(like)]
  return hold?.releasedAt === undefined ? hold : undefined
}

/** `servers`: those that are reached in the same way. An answer of one releases the hold. */
export const reviewed = (known: Known, like: Server, servers: ReadonlyArray<Server>, now: number): Known => {
  const hold = openHold(known, like)
  if (hold === undefined) return known
  if (servers.some(({ answeredAt }) => answeredAt > hold.since)) {
    return withHold(known, like, { ...hold, releasedAt: now })
  }
  const isOver = now >= hold.until || servers.every(({ silentSince }) => silentSince === undefined)
  return isOver ? withHold(known, like, undefined) : known
}

/** Why a connection is not ended on its silence alone; `undefined`: it is. `size`: of the fleet. */
export const rule = (
  known: Known,
  mine: Silent,
  servers: () => ReadonlyArray<Server>,
  size: number,
  now: number
): readonly [Known, string | undefined] => {
  const hold = known.holds[reachOf(mine)]
  const isCovered = hold !== undefined && mine.silentSince <= (hold.releasedAt ?? Infinity)
  if (now - mine.silentSince < longestHold) {
    const until = isCovered ? undefined : heldUntil(known, mine, servers(), now)
    const next = until === undefined ? known : withHold(known, mine, { since: now, until, releasedAt: undefined })
    if (until !== undefined || (isCovered && mine.askedAt < (hold.releasedAt ?? Infinity))) {
      return [next, "everything is silent: this machine"]
    }
    const isFirst = mine.askedAt - mine.silentSince < quiet(mine)
    if (isFirst && servers().some((one) => one.origin !== mine.origin && reachOf(one) === reachOf(mine))) {
      return [known, "it may be this machine: one question is not enough"]
    }
  }
  const ended = known.ended.filter((at) => now - at < minute)
  return size > 1 && ended.length >= Math.max(1, Math.floor(size / 3))
    ? [known, "a third of the servers was given up within a minute, on silence alone"]
    : [{ ...known, ended: [...ended, now] }, undefined]
}
