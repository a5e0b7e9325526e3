/** Ends a test early while a mutant is tried. The run before that, without one, has to pass on a busy machine, too. */
import { inject, vi } from "vitest"

declare module "vitest" {
  interface ProvidedContext {
    /** Of Stryker. */
    readonly mode: "dry-run" | "mutant"
  }
}

if (inject("mode") === "mutant") vi.setConfig({ testTimeout: 5000, hookTimeout: 5000 })
