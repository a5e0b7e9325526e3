/** When to believe a refusal by an authorization server, and a server's refusal of its tokens. */

/** Milliseconds until a refused refresh token is tried again; the refusal after the last one is believed. */
export const pauses: ReadonlyArray<number> = [2_000, 8_000]

/** A login is asked for after `maxVain` renewals in a row whose tokens are refused within `freshTime` milliseconds. */
export const [maxVain, freshTime] = [2, 120_000] as const

/** Whether this status passes by itself; any other refusal is believed if repeated, whatever its code. */
export const isPassing = (status: number): boolean =>
  status >= 500 || status === 408 || status === 425 || status === 429
