import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const script = fileURLToPath(new URL("containers.mjs", import.meta.url))

export class Containers {
  /** Where its "daemon" is; the value of DOCKER_HOST. */
  readonly folder = mkdtempSync(join(tmpdir(), "engine-"))
  readonly #bin = join(this.folder, "bin")

  constructor() {
    mkdirSync(this.#bin)
    writeFileSync(join(this.folder, "log"), "")
  }

  program(name: string): string {
    const file = join(this.#bin, name)
    writeFileSync(file, `#!/bin/sh\nexec '${process.execPath}' '${script}' "$@"\n`)
    chmodSync(file, 0o755)
    return file
  }

  get ids(): ReadonlyArray<string> {
    return readdirSync(this.folder).filter((name) => name.endsWith(".json")).map((name) =>
      name.slice(0, -".json".length)
    )
  }

  /** What was done, in order: each command, and `start` and `end` of a container with its id. */
  get log(): ReadonlyArray<string> {
    return readFileSync(join(this.folder, "log"), "utf8").split("\n").filter((line) => line !== "")
  }

  get pids(): ReadonlyArray<number> {
    return this.#running.flatMap(({ pid }) => pid ?? [])
  }

  get #running(): ReadonlyArray<{ readonly exited?: true; readonly owner: number; readonly pid?: number }> {
    return this.ids.map((id) => JSON.parse(readFileSync(join(this.folder, `${id}.json`), "utf8")))
      .filter(({ exited }) => exited !== true)
  }

  get most(): number {
    let [running, most] = [0, 0]
    for (const line of this.log) {
      if (line.startsWith("start ")) most = Math.max(most, ++running)
      if (line.startsWith("end ")) running--
    }
    return most
  }

  /** From now on it is broken: `down`, `keeps` (its containers cannot be removed), `hangs` (it does not say which there are). */
  break(how: "down" | "keeps" | "hangs", is = true): void {
    const file = join(this.folder, how)
    if (is) writeFileSync(file, "")
    else if (existsSync(file)) rmSync(file)
  }

  remove(): void {
    // Its owner first, which would write into the folder that the process has ended.
    for (const pid of this.#running.flatMap(({ owner, pid }) => [owner, ...pid === undefined ? [] : [pid]])) {
      try {
        process.kill(pid, "SIGKILL")
      } catch { /* it has ended */ }
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}
