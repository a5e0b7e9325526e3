/**
 * Long life, as it really is: 10,000 calls and 10,000 reconnects on one backend over HTTP and over stdio, and exchanges that
 * are silent for 330 s. Takes from a quarter of an hour upwards.
 *
 *     node tests/longlife/run.mjs [http calls] [http reconnects] [stdio calls] [stdio reconnects] [hold]
 */
import { fileURLToPath } from "node:url"
import { capture } from "../../scripts/run.mjs"
import { complaints } from "./verdict.mjs"

const chosen = process.argv.slice(2)
const here = fileURLToPath(new URL(".", import.meta.url))

/** @type {ReadonlyArray<readonly [transport: string, what: string, warmup: number]>} */
const lives = [
  ["http", "calls", 3000],
  ["stdio", "calls", 3000],
  ["http", "reconnects", 3000],
  ["stdio", "reconnects", 1000]
]

/** @param {string} name */
const isChosen = (name) => chosen.length === 0 || chosen.includes(name)
const said = async (/** @type {Array<string>} */ args) =>
  JSON.parse((await capture(process.execPath, args, { cwd: here })).trim().split("\n").at(-1) ?? "")

/** @type {Array<string>} */
const wrong = []

const hold = async () => {
  if (!isChosen("hold")) return
  const { bare, events, json, stream } = await said(["hold.mjs"])
  console.log("held for 330 s:", JSON.stringify({ stream, json, events, bare }))
  if (!stream.arrived || stream.opened !== 1 || stream.generation !== 1) wrong.push("hold: the stream")
  if (!json.answered || json.generation !== 1) wrong.push("hold: the JSON answer")
  if (!events.answered || events.generation !== 1) wrong.push("hold: the answer in an event stream")
}

const live = async () => {
  for (const [transport, what, warmup] of lives) {
    if (!isChosen(`${transport} ${what}`)) continue
    const report = await said(["life.mjs", transport, what, "--count", "10000", "--warmup", String(warmup)])
    const mebi = (/** @type {number} */ bytes) => (bytes / 2 ** 20).toFixed(1)
    console.log(
      `10,000 ${what} over ${transport}: ${report.seconds.toFixed(0)} s, heap ${mebi(report.before.heap)} -> ` +
        `${mebi(report.after.heap)} MiB (${(report.growth * 100).toFixed(1)}%), held ${
          JSON.stringify(report.after.resources)
        }`
    )
    for (const complaint of complaints(report)) wrong.push(`${transport} ${what}: ${complaint}`)
  }
}

await Promise.all([hold(), live()])
for (const complaint of wrong) console.error(complaint)
process.exitCode = wrong.length === 0 ? 0 : 1
