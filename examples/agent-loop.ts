/**
 * An agent's loop over tools whose server is killed under it. The model here is a list of steps.
 *
 * Run it with `npx --yes pnpm@10.34.8 --filter @mcp-lifeline/examples run agent-loop`, after
 * `npx --yes pnpm@10.34.8 build`.
 */
import { type Client, connect, type LifelineError } from "@mcp-lifeline/client"

interface Step {
  readonly name: string
  readonly arguments: Record<string, unknown>
}

/** What the model decides next, from what it has seen so far. */
const model = (seen: ReadonlyArray<string>): Step | undefined =>
  [
    { name: "get-sum", arguments: { a: 2, b: 3 } },
    { name: "echo", arguments: { message: "the sum is five" } },
    { name: "get-sum", arguments: { a: 5, b: 8 } },
    undefined
  ][seen.length]

/** One step. What went wrong is told to the model, in words that say whether it may try again. */
const take = async (client: Client, step: Step): Promise<string> => {
  try {
    const { content } = await client.callTool(step)
    return JSON.stringify(content)
  } catch (cause) {
    const error = cause as LifelineError
    if (error._tag === "ResultUnknown") return "It may have been done, or not: look before you do it again."
    if (error.retryable) return "It was not done. Try again later."
    return `It cannot be done: ${error.message}`
  }
}

await using client = await connect({ command: "npx", args: ["-y", "@modelcontextprotocol/server-everything"] }, {
  timeouts: { wait: "1 minute" } // a step waits this long for the server to come back
})
client.on("event", (event) => {
  if (event._tag === "RuntimeLost") console.log(`lost: ${event.loss.kind}`)
})

const seen: Array<string> = []
for (let step = model(seen); step !== undefined; step = model(seen)) {
  seen.push(await take(client, step))
  console.log(`${step.name}: ${seen.at(-1)} (connection ${client.status.generation})`)
  if (seen.length !== 2) continue
  // Something kills the server between two steps.
  process.kill(client.status.peer!.pid!, "SIGKILL")
  for await (const { state } of client.statusChanges()) if (state !== "Connected") break
}
