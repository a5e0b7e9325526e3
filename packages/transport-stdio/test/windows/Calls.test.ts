import * as Suite from "../../../testing/test/support/windows/Suite.js"
import * as Wine from "../../../testing/test/support/Wine.js"
import { prepare } from "./faultServer.js"

// On one Node: what is different here are the pipes of Windows, and how processes end there, which Keepalive and Loss test on each.
for (const name of ["once.slow", "pressure", "session", "stdout", "unsent"]) {
  await Suite.run(new URL(`../${name}.test.ts`, import.meta.url), { nodes: Wine.oneNode, prepare })
}
