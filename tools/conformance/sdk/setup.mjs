/** Notes in each test's result whether Lifeline connected anything in it: a test that connects nothing proves nothing of ours. */
import { use } from "./places.mjs"

// The one of the vitest that runs, which is the checkout's.
const { beforeEach } = /** @type {typeof import("vitest")} */ (/** @type {unknown} */ (globalThis))

beforeEach(({ task }) => {
  use.by = () => {
    Object.assign(task.meta, { lifeline: true })
  }
})
