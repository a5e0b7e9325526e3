/**
 * The heap of a program that runs for months: it may grow by half of what lives in it, and not to many times that. Node.js lets it grow
 * further than it is worth here: after 18,000 calls the process had 165 MB, and so it has 106, with 17 MB alive in both.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** Call it once the program has loaded what it needs. */
export const keepSmall = (): void => {
  try {
    setFlagsFromString("--semi-space-growth-factor=1")
    setFlagsFromString("--heap-growing-percent=50")
    // The bound is taken anew with each collection, and the first one would come late.
    setFlagsFromString("--expose-gc")
    ;(runInNewContext("gc") as () => void)()
  } catch {
    // A Node.js without these goes on with the heap that it has.
  }
}
