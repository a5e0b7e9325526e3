import { describe, expect, it } from "@effect/vitest"
import { wrapOf } from "../support/arguments.js"

describe("the command line of wrap", () => {
  it.each(["localhost:3000/mcp", "127.0.0.1:3000", "[::1]:3000/mcp", "mcp.example.com:8443/mcp"])(
    "[W1] says how %s is written, which lacks only the scheme",
    (address) => {
      expect(() => wrapOf(address)).toThrow(
        `${address} is no command: if it is the address of a server, write http://${address} or https://${address}`
      )
    }
  )

  it.each([["npx"], ["server.js:x"], ["C:\\server.exe"], ["./a:1"], ["--", "localhost:3000"]])(
    "[W1] takes %s for a command",
    (...argv) => expect(wrapOf(...argv).server).toMatchObject({ _tag: "Command", command: argv.at(-1) })
  )

  it("[W1] reads nothing of the command line of the server", () => {
    const named = { name: "a", server: { command: "node", args: ["x", "--port", "1", "--help"] } }
    expect(wrapOf("--name", "a", "--", "node", "x", "--port", "1", "--help")).toMatchObject(named)
    const watched = { watch: { glob: undefined }, server: { command: "node", args: ["--watch", "--", "x=y"] } }
    expect(wrapOf("--watch", "node", "--watch", "--", "x=y")).toMatchObject(watched)
    expect(wrapOf("--watch=*.js", "node")).toMatchObject({ watch: { glob: "*.js" } })
    expect(wrapOf("--option", "a=1", "--option=b=2", "node").options).toEqual(["a=1", "b=2"])
    const filtered = { only: ["read_*", "search"], hide: ["*_all"], server: { command: "node" } }
    expect(wrapOf("--only", "read_*", "--hide=*_all", "--only=search", "node")).toMatchObject(filtered)
  })

  it("[W1] takes options on both sides of a URL", () => {
    expect(wrapOf("--account", "a", "http://h/mcp", "--header", "A: b", "--header=C: d")).toMatchObject({
      server: { _tag: "Address", url: "http://h/mcp", headers: ["A: b", "C: d"], account: "a", transport: "auto" }
    })
  })

  it.each<[string, ...ReadonlyArray<string>]>([
    ["--header is for a URL; a command has none", "--header", "A: b", "--", "x"],
    ["--transport is for a URL; a command has none", "--transport", "sse", "x"],
    [
      '--max-memory is "1G"; accepted: at least 10 MB, as bytes or as a text such as "512 MB" or "1 GiB"',
      "--max-memory",
      "1G",
      "x"
    ],
    ["--max-memory is for a command; the memory of a URL is not measured", "--max-memory", "1GB", "http://h/mcp"],
    ["--protocol 2024 is not known; accepted: 2025, 2026, auto", "--protocol", "2024", "x"],
    ["--callback-port must be a whole number from 1 to 65535", "--callback-port", "x", "http://h/mcp"],
    ["--client-issuer must be an address that begins with https://", "--client-issuer", "http://i", "http://h/mcp"],
    ["--name needs a value", "--name", "--", "x"],
    ["--hide needs a value", "--hide=", "x"],
    ["unknown option --nmae; did you mean --name?", "--nmae=a", "x"],
    ["unknown argument http://i/mcp: wrap takes only URL", "http://h/mcp", "http://i/mcp"],
    ["a URL and a command cannot be combined; wrap takes one server", "http://h/mcp", "--", "x"],
    ["a URL and a command cannot be combined; wrap takes one server", "http://h/mcp", "x"],
    ["--watch is for a command; a URL has no files", "--watch", "http://h/mcp"],
    ["give a URL, or -- and the command that starts the server", "--"]
  ])("[W1] is refused: %s", (message, ...argv) => {
    expect(() => wrapOf(...argv)).toThrow(
      `${message}${message.endsWith("?") ? " See" : "; see"} mcp-lifeline wrap --help`
    )
  })
})
