/**
 * Breaks a promise on purpose, so that a test sees it reported: the soak itself does what a fault of Lifeline would do.
 */
import { spawn } from "node:child_process"
import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Http from "./http.mjs"
import * as Processes from "./processes.mjs"

/** @typedef {{ readonly soak: string, readonly folder: string, readonly door: string, readonly url: string }} At `url` is that of `http25` */

/** By the name of what it does. @satisfies {Readonly<Record<string, (at: At) => unknown>>} */
export const plants = {
  /** An effect is counted once more. */
  twice: ({ door, folder }) => {
    const journal = join(folder, "journals", `${door}-http`)
    const line = readFileSync(journal, "utf8").split("\n").find((line) => line.includes("apply"))
    appendFileSync(journal, `${line}\n`)
  },
  /** A session is begun and used, and never ended. */
  session: async ({ url }) => {
    const network = Http.make([url])
    const client = await Http.plainClient(network.fetch, url, "2025", () => {})
    await client.call("read", { key: "planted" }, AbortSignal.timeout(30_000), () => {})
    await network.close()
  },
  /** A process outlives its door. */
  process: ({ door, soak }) =>
    void spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
      env: { ...process.env, ...Processes.marked(soak, door, "planted") },
      stdio: "ignore"
    }),
  file: ({ door, folder }) => writeFileSync(join(folder, "tmp", door, "planted"), "")
}

/**
 * What the clients do themselves: say that they got another client's message, that a call failed with nothing but words, or that one which was
 * carried out was not sent.
 */
export const ofCallers = /** @type {const} */ (["crossed", "untyped", "notSent"])

export const names = [...Object.keys(plants), ...ofCallers]
