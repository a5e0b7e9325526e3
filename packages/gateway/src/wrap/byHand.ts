/** For somebody who has started by hand what hosts start. */
import { shellWord } from "../text/shellWord.js"
import * as StandardError from "../text/StandardError.js"

export interface Advice {
  readonly started: string
  readonly tryIt: string
}

export const wrap: Advice = {
  started:
    "wrap waits for a host to speak MCP on stdin; mcp-lifeline adopt puts it into the configurations of your hosts",
  tryIt: "To try a server here, run mcp-lifeline check FILE --connect, with an mcp.json that has it"
}

export const serve = (file: string, platform?: NodeJS.Platform): Advice => ({
  started: "serve --stdio waits for a host to speak MCP on stdin; write it into the configuration of one",
  tryIt: `To try its servers here, run mcp-lifeline check ${shellWord(file, platform)} --connect`
})

/** On a terminal, no host speaks. */
export const advise = ({ started, tryIt }: Advice): void => {
  if (process.stdin.isTTY) StandardError.line(`mcp-lifeline: ${started}. ${tryIt}. Ctrl+C ends it`)
}
