import type { Progress } from "@modelcontextprotocol/sdk/types.js"

/** Characters: hosts show about as much. */
const longestRepeated = 200

/** Above `last` by as little as every number up to 1e300 can show. */
const above = (last: number, value: number): number =>
  value > last ? value : last + Math.max(Math.abs(last), 1) * 2 ** -40

interface Told {
  /** What Lifeline has said of a connection that is still missing. */
  readonly missing: string | undefined
  /** Or when the call began; milliseconds on the Clock's scale. */
  readonly toldAt: number
  readonly reportedAt: number
  readonly last: number
  readonly farthest: number
  readonly isSentAgain: boolean
  readonly isMerged: boolean
  readonly total: number | undefined
  readonly message: string | undefined
}

/**
 * Reports pass as they come until Lifeline has spoken or the request was sent again; then they are raised.
 * A request sent again is not heard until it is farther. What `listener` throws, the functions throw.
 */
export interface CallProgress {
  readonly listener: (progress: Progress) => void
  told: Told
}

const nothing = Number.NEGATIVE_INFINITY

export const make = (listener: CallProgress["listener"], now: number): CallProgress => ({
  listener,
  told: {
    missing: undefined,
    toldAt: now,
    reportedAt: nothing,
    last: nothing,
    farthest: nothing,
    isSentAgain: false,
    isMerged: false,
    total: undefined,
    message: undefined
  }
})

const note = (self: CallProgress, news: Partial<Told>): void => {
  self.told = { ...self.told, ...news }
}

export const noteMissing = (self: CallProgress, missing: string | undefined): void => note(self, { missing })

export const sentAgain = (self: CallProgress): void =>
  note(self, { isSentAgain: true, message: undefined, reportedAt: nothing })

export const reported = (self: CallProgress, progress: Progress, now: number): void => {
  const { farthest, isMerged, isSentAgain, last } = self.told
  const { message = self.told.message, progress: value, total = self.told.total } = progress
  const isFarther = value > farthest
  note(self, { reportedAt: now, total, message, farthest: isFarther ? value : farthest })
  if (isSentAgain && !isFarther) return
  tell(self, isMerged || isSentAgain ? { ...progress, progress: above(last, value) } : progress, now)
}

export const described = (self: CallProgress, message: string, now: number): void => {
  note(self, { reportedAt: now, message })
  say(self, message, now)
}

/** `isRunning`: what the server said last still holds. */
export const said = (self: CallProgress, message: string, isRunning: boolean, now: number): void => {
  const theirs = isRunning ? self.told.message : undefined
  say(self, theirs === undefined || theirs.length > longestRepeated ? message : `${theirs} (${message})`, now)
}

/** The last `total` is repeated: hosts show no bar without it. */
const say = (self: CallProgress, message: string, now: number): void => {
  note(self, { isMerged: true })
  const { last, total } = self.told
  tell(
    self,
    { progress: last === nothing ? 0 : above(last, last), ...(total === undefined ? {} : { total }), message },
    now
  )
}

const tell = (self: CallProgress, progress: Progress, now: number): void => {
  if (!Number.isFinite(progress.progress)) return
  note(self, { last: Math.max(self.told.last, progress.progress), toldAt: now })
  self.listener(progress)
}
