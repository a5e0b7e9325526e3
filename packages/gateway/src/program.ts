/** Loads only the modules that a command needs: hosts start `wrap` once for each server. */
import * as Cli from "./Cli.js"
import { UsageError } from "./commandLine/read.js"

const run = async (request: Cli.Request | Cli.Text): Promise<void> => {
  switch (request._tag) {
    case "Text":
      return console.log(request.text)
    case "Wrap": {
      const [hosted, wrap] = await Promise.all([import("./hosted.js"), import("./wrap/wrap.js")])
      return hosted.run(wrap.run(request.options))
    }
    case "Join": {
      const [hosted, join] = await Promise.all([import("./hosted.js"), import("./join/join.js")])
      return hosted.run(join.run(request.options))
    }
    case "Adopt":
      return (await import("./adopt/main.js")).run(request.options)
    default:
      return (await import("./Main.js")).run(request)
  }
}

const main = async (): Promise<void> => {
  try {
    await run(Cli.read(process.argv.slice(2), process.env))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`mcp-lifeline: ${error.message}`)
    // Exits only once the output is written.
    process.stderr.write("", () => process.exit(2))
  }
}

// What nobody reads is lost.
process.stderr.on("error", () => {})
void main()
