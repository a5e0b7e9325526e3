/**
 * When a refusal of an authorization server is believed, and when a server's refusal of the tokens that it gives. Pure, and the same for
 * every sign-in.
 */

/** How long after a refusal a refresh token is tried again, in milliseconds; after the last one the refusal is believed. */
export const pauses: ReadonlyArray<number> = [2_000, 8_000]

/** After so many renewals in a row whose tokens are refused within so many milliseconds, a login is asked for. */
export const [maxVain, freshTime] = [2, 120_000] as const

/** Whether an answer of this status passes by itself; any other refusal is believed where it repeats, whatever its code. */
export const isPassing = (status: number): boolean =>
  status >= 500 || status === 408 || status === 425 || status === 429
