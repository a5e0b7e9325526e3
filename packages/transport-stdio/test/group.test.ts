import { once } from "node:events"
import { assert, describe, it } from "vitest"
import { ProcessGroup } from "../src/ProcessGroup.js"

const make = (command: string): ProcessGroup => {
  const env = { PATH: process.env["PATH"] ?? "" }
  const times = { stdinGrace: 60_000, termGrace: 60_000 }
  return new ProcessGroup({ command, args: [], env, cwd: undefined, handleSignals: false, ...times })
}

/** What is sent to other processes, or asked of them, while something is done; none of it arrives. */
const sentBy = async (act: () => void | Promise<void>): Promise<ReadonlyArray<unknown>> => {
  const { kill } = process
  const sent: Array<unknown> = []
  process.kill = (...signal) => {
    sent.push(signal)
    return true
  }
  try {
    await act()
  } finally {
    process.kill = kill
  }
  return sent
}

describe.skipIf(process.platform === "win32")("a process group", () => {
  it("[S1:unit] [S8:unit] one that is gone is sent nothing and asked nothing: the system may have given its number to another one", async () => {
    const group = make("true")
    await once(group.child, "exit")
    await group.shutdown()
    assert.deepStrictEqual(await sentBy(() => group.kill()), [])
    assert.deepStrictEqual(await sentBy(() => group.shutdown()), [])
  })

  it("[S1:unit] one that was never there is gone at once", async () => {
    const group = make("/nowhere/there-is-no-such-command")
    await once(group.child, "error")
    assert.deepStrictEqual(
      await sentBy(async () => {
        group.kill()
        await group.shutdown()
      }),
      []
    )
  })
})
