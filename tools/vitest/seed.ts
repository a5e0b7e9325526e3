/** Generated inputs are the same in each run of the gate, and others in each run of the slow set; fast-check prints the seed of a failure. */
import * as fc from "fast-check"
import { inject } from "vitest"

declare module "vitest" {
  interface ProvidedContext {
    /** Whether this is the slow set, in which tests of two sizes are large. */
    readonly isLarge: boolean
  }
}

fc.configureGlobal({
  // A list with `maxLength: 40` is as long as that. Without this it has at most ten items.
  defaultSizeToMaxWhenMaxSpecified: true,
  ...(inject("isLarge") ? {} : { seed: 1 })
})
