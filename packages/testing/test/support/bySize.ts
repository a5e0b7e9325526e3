import { inject } from "vitest"

/** What a test that is in both sets (`*.sized.test.ts`) takes in the gate, and what in the slow set. */
export const bySize = <A>(small: A, large: A): A => inject("isLarge") ? large : small
