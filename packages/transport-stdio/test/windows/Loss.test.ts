import * as Suite from "../../../testing/test/support/windows/Suite.js"
import { prepare } from "./faultServer.js"

await Suite.run(new URL("../loss.sized.test.ts", import.meta.url), { prepare })
