/**
 * Loaded by a gateway before its own program: on SIGUSR2, writes what its process holds, once that no longer changes, to
 * `$LIFELINE_SOAK_HELD/<process id>.json`.
 */
import { renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as measure from "./measure.mjs"

process.on("SIGUSR2", async () => {
  const held = { resources: await measure.least(6000), heap: await measure.heap(), sockets: measure.sockets() }
  const file = join(process.env["LIFELINE_SOAK_HELD"] ?? "", `${process.pid}.json`)
  writeFileSync(`${file}.part`, JSON.stringify(held))
  // Whoever waits for it reads it whole.
  renameSync(`${file}.part`, file)
})
