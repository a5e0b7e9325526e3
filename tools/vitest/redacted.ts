/** Secrets are equal where their values are. To `expect`, any two would be: they have no fields. (`addEqualityTesters` of @effect/vitest finds them so, too.) */
import { Equal, Redacted } from "effect"
import { expect } from "vitest"

const added = Symbol.for("lifeline/tests/redacted")

// Files of one process share what `expect` knows.
if (!(added in globalThis)) {
  const areEqual = (a: unknown, b: unknown) =>
    Redacted.isRedacted(a) && Redacted.isRedacted(b) ? Equal.equals(a, b) : undefined
  expect.addEqualityTesters([areEqual])
  Object.defineProperty(globalThis, added, { value: true })
}
