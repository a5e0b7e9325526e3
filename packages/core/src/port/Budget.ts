/** The time of a request: for one answer, and for the whole. Both stand still while the user is asked. Pure; in milliseconds of one clock. */
import type { RequestOptions } from "./Connection.js"

export interface Budget {
  readonly begunAt: number
  readonly timeout: number
  /** Each progress moves the deadline, without a bound. */
  readonly openEnded: boolean
  /** Of the whole. */
  readonly deadline: number
  /** When the request was sent, or progress came. */
  readonly heardAt: number
  /** That the user has not answered; since `askedAt`. */
  readonly questions: number
  readonly askedAt: number
}

export const begin = (
  { maxTotalTimeout, resetTimeoutOnProgress, timeout }: RequestOptions,
  now: number
): Budget => {
  const resets = resetTimeoutOnProgress === true
  const total = maxTotalTimeout ?? timeout
  return {
    begunAt: now,
    timeout,
    openEnded: resets && maxTotalTimeout === undefined,
    deadline: now + (resets ? total : Math.min(timeout, total)),
    heardAt: now,
    questions: 0,
    askedAt: 0
  }
}

export const at = ({ askedAt, questions }: Budget, now: number): number => questions === 0 ? now : askedAt

/** Mostly in the millisecond in which it has begun. */
export const sent = (self: Budget, now: number): Budget =>
  self.heardAt === now ? self : { ...self, heardAt: at(self, now) }

export const heard = (self: Budget, now: number): Budget => {
  const heardAt = at(self, now)
  return { ...self, heardAt, deadline: self.openEnded ? heardAt + self.timeout : self.deadline }
}

export const asked = (self: Budget, now: number): Budget => ({
  ...self,
  questions: self.questions + 1,
  askedAt: at(self, now)
})

export const answered = (self: Budget, now: number): Budget => {
  const { askedAt, deadline, heardAt, questions } = self
  if (questions !== 1) return { ...self, questions: Math.max(0, questions - 1) }
  const time = now - askedAt
  return { ...self, questions: 0, deadline: deadline + time, heardAt: heardAt + time }
}

export const left = (self: Budget, now: number): number =>
  Math.min(self.heardAt + self.timeout, self.deadline) - at(self, now)

/** Which time ends: of one answer, or of the whole. */
export const limit = ({ begunAt, deadline, heardAt, openEnded, timeout }: Budget): number =>
  openEnded || heardAt + timeout < deadline ? timeout : Math.round(deadline - begunAt)
