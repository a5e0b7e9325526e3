import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect } from "effect"

export const opened = <A>(open: () => Promise<A>, close: (opened: A) => Promise<unknown>) =>
  Effect.acquireRelease(Effect.promise(open), (opened) => Effect.promise(() => close(opened)))

/** A connected client of the official SDK. */
export const open = async (
  url: string,
  client = new Client({ name: "test", version: "1" }),
  requestInit: RequestInit = {}
): Promise<Client> => {
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }) as Transport)
  return client
}

/** The same, closed with the scope. The gateway may be gone by then. */
export const connect = (url: string) => opened(() => open(url), (client) => client.close().catch(() => {}))

export const echo = async (client: Client, backend: string, message: string): Promise<string> => {
  const result = await client.callTool({ name: `${backend}__echo`, arguments: { message } })
  return (result["content"] as ReadonlyArray<{ readonly text: string }>).map(({ text }) => text).join()
}

/** The names of all tools of servers; the gateway's own is not among them. */
export const toolNames = async (client: Client): Promise<ReadonlyArray<string>> =>
  (await client.listTools()).tools.map(({ name }) => name).filter((name) => name !== "lifeline__status")

/** The same once these are among them: lists wait for servers, but not for as long as a busy machine may take to start them. */
export const toolNamesWith = async (client: Client, names: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  for (;;) {
    const found = await toolNames(client)
    if (names.every((name) => found.includes(name))) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export const pid = async (client: Client, backend: string): Promise<number> => {
  const { content } = await client.callTool({ name: `${backend}__who` })
  return (JSON.parse((content as ReadonlyArray<{ readonly text: string }>)[0]?.text ?? "") as { pid: number }).pid
}
