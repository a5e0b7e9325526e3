import { StdioFaultServer } from "@mcp-lifeline/testing"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"

/** Connects to a server over stdio and calls it, and writes which files of ours it has loaded. */
const program = `
import { Session } from "node:inspector"
const session = new Session(), urls = new Set()
session.connect()
session.on("Debugger.scriptParsed", ({ params: { url } }) => urls.add(url))
session.post("Debugger.enable")
const { connect } = await import("@mcp-lifeline/client")
const client = await connect(JSON.parse(process.argv[1]))
await client.callTool({ name: "echo", arguments: { text: "hi" } })
await client.close()
console.log(JSON.stringify([...urls].filter((url) => /packages.*dist/.test(url))))
`

const loadedWith = async (protocol: "auto" | "2025"): Promise<ReadonlyArray<string>> => {
  const { args, command } = StdioFaultServer.command()
  const server = JSON.stringify({ command, args, protocol })
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program, server], {
    cwd: fileURLToPath(new URL("..", import.meta.url))
  })
  return JSON.parse(stdout) as ReadonlyArray<string>
}

describe("the eras of the protocol", () => {
  it("[E1:real F7] protocol 2025 loads nothing of the other era, and auto does", async () => {
    const isOfTheOther = (file: string) =>
      /Stateless|AutoConnection|ProbedTransport|InputRequests|protocol.dist.Discovery/.test(file)
    const older = await loadedWith("2025")
    assert.isNotEmpty(older)
    assert.deepStrictEqual(older.filter(isOfTheOther), [])
    assert.isNotEmpty((await loadedWith("auto")).filter(isOfTheOther))
  })
})
