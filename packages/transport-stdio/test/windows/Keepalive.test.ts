import * as Suite from "../../../testing/test/support/windows/Suite.js"
import { prepare } from "./faultServer.js"

await Suite.run(new URL("../keepalive.sized.test.ts", import.meta.url), {
  prepare,
  skip: { "the reference server answers the heartbeats": "its program is built for the tests on Linux alone" }
})
