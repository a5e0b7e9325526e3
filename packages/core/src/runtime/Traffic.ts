/** What the requests of a connection say about it. Pure; times are on the Clock's scale. */

export interface InFlight {
  /** When it was sent, or progress came. */
  readonly heardAt: number
  /** Of the server, unanswered by the user. */
  readonly questions: number
}

export interface Traffic {
  readonly inFlight: number
  /** Calls that wait for a verdict on it. */
  readonly held: number
  /** If it does one thing at a time. */
  readonly workedOn: InFlight | undefined
  /** When its caller gave it up, and nothing was answered since. */
  readonly abandonedAt: number | undefined
  readonly usedAt: number
  readonly answeredAt: number
  readonly answers: number
  readonly hasWorked: boolean
  /** In a row. */
  readonly failures: number
  readonly failedAt: number
  /** Of questions that begin from then on, a failure counts. */
  readonly failsFrom: number
}

export const begin: Traffic = {
  inFlight: 0,
  held: 0,
  workedOn: undefined,
  abandonedAt: undefined,
  usedAt: 0,
  answeredAt: 0,
  answers: 0,
  hasWorked: false,
  failures: 0,
  failedAt: Number.NEGATIVE_INFINITY,
  failsFrom: Number.NEGATIVE_INFINITY
}

/** `call`: of a caller. */
export const begun = (traffic: Traffic, call: InFlight | undefined): Traffic => ({
  ...traffic,
  inFlight: traffic.inFlight + 1,
  workedOn: traffic.abandonedAt === undefined ? traffic.workedOn ?? call : traffic.workedOn
})

export const ended = (traffic: Traffic, now: number, isAnswered: boolean, call: InFlight | undefined): Traffic => {
  const left = { ...traffic, inFlight: traffic.inFlight - 1, usedAt: now }
  if (call === undefined || traffic.workedOn !== call) return left
  return { ...left, workedOn: undefined, abandonedAt: isAnswered ? traffic.abandonedAt : now }
}

export const unheard = (traffic: Traffic, now: number, call: InFlight): Traffic =>
  traffic.workedOn === call ? { ...traffic, workedOn: undefined, abandonedAt: now } : traffic

/** `oldest`: of the calls in flight. */
export const answered = (traffic: Traffic, now: number, oldest: InFlight | undefined): Traffic => ({
  ...traffic,
  workedOn: oldest,
  abandonedAt: undefined,
  answeredAt: now,
  answers: traffic.answers + 1,
  failures: 0
})

/**
 * However many fail at once, one counts: what a moment breaks has `pause` milliseconds to mend. The clock may have been set back, and timers
 * differ from it a little. (H1, H4)
 */
export const failed = (traffic: Traffic, at: number, now: number, pause: number): Traffic => {
  if (at < traffic.failsFrom && now >= traffic.failedAt) return traffic // guard: probes-count-at-a-pace
  return { ...traffic, failures: traffic.failures + 1, failedAt: now, failsFrom: now + 0.9 * pause }
}

/** Calls that wait in its session become the next connection's. */
export const joined = (traffic: Traffic, { inFlight, workedOn }: Traffic): Traffic => ({
  ...traffic,
  inFlight: traffic.inFlight + inFlight,
  workedOn: traffic.workedOn ?? workedOn
})
