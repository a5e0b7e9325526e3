import * as Suite from "../../../testing/test/support/windows/Suite.js"
import { prepare } from "./faultServer.js"

await Suite.run(new URL("../loss.sized.test.ts", import.meta.url), {
  prepare,
  skip: {
    "a grandchild that holds stdout open": "on Windows it ends with its server: End.test.ts",
    "a process that closes its stdout": "Node.js for Windows does not close its first three files"
  }
})
