import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { FolderWatch } from "../src/wrap/FolderWatch.js"
import * as Watch from "../src/wrap/Watch.js"
import { stateFolder, wrap } from "./support/Host.js"

/** A folder with a watch on one in it, both of which go with the test. */
const watching = () => {
  const path = mkdtempSync(join(tmpdir(), "lifeline-watch-"))
  const folder = join(path, "dist")
  const file = join(folder, "server.mjs")
  mkdirSync(folder)
  writeFileSync(file, "first")
  let wake: () => void = () => undefined
  const seen = new Set<string>()
  const watch = new FolderWatch(folder, {
    isOpened: () => true,
    onChange: (changed) => {
      seen.add(changed)
      wake()
    },
    onError: assert.fail
  })
  return {
    folder,
    file,
    /** Waits until a file is seen to change. */
    sees: async (changed: string): Promise<void> => {
      while (!seen.has(changed)) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      seen.clear()
    },
    [Symbol.dispose]: () => {
      watch.close()
      rmSync(path, { recursive: true })
    }
  }
}

describe("--watch", () => {
  it("[W4] a file that is replaced by another of its name is seen each time", async () => {
    using one = watching()
    for (const round of [1, 2, 3, 4]) {
      writeFileSync(`${one.file}.new`, `${round}`)
      renameSync(`${one.file}.new`, one.file)
      await one.sees(one.file)
    }
    writeFileSync(one.file, "written")
    await one.sees(one.file)
  })

  it("[W4] a folder that is removed and made again is watched on, and the folders in it", async () => {
    using one = watching()
    const make = async (content: string): Promise<void> => {
      const inner = join(one.folder, "inner")
      const file = join(inner, "part.mjs")
      mkdirSync(inner, { recursive: true })
      writeFileSync(one.file, content)
      writeFileSync(file, content)
      await one.sees(file)
      writeFileSync(file, `${content}, again`)
      await one.sees(file)
      rmSync(inner, { recursive: true })
      mkdirSync(inner)
      writeFileSync(file, `${content}, once more`)
      await one.sees(file)
    }
    await make("first")
    rmSync(one.folder, { recursive: true })
    await make("at once")
    rmSync(one.folder, { recursive: true })
    // For long enough that it is missed.
    await new Promise((resolve) => setTimeout(resolve, 600))
    await make("later")
  })

  it("[W4] a glob may be absolute; of a program from elsewhere nothing else counts than itself", () => {
    const [absolute] = Watch.watched("/some/where/**/*.mjs", "node", [])
    assert.deepEqual([absolute?.folder, absolute?.counts("/some/where/in/a.mjs")], ["/some/where", true])
    assert.isFalse(absolute?.counts("/some/where/in/a.txt"))
    const [program, ...others] = Watch.watched(undefined, process.execPath, ["--version"])
    assert.deepEqual(others, [])
    assert.isTrue(program?.counts(process.execPath))
    assert.isFalse(program?.counts(`${process.execPath}.other`))
  })

  it("[W4] a command line that names no file is said so", async () => {
    using state = stateFolder()
    await using host = wrap(["--watch", "--", "npx", "some-server"], { state: state.path })
    await host.until(() => host.stderr.includes("--watch=GLOB") ? true : undefined)
  })
})
