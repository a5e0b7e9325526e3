import * as Suite from "../../../testing/test/support/windows/Suite.js"
import { prepare } from "./faultServer.js"

await Suite.run(new URL("../memory.slow.test.ts", import.meta.url), { prepare })
