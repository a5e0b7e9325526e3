import * as Guard from "@mcp-lifeline/http-server/Guard"
import * as PublicUrl from "@mcp-lifeline/http-server/PublicUrl"
import * as TrustedProxies from "@mcp-lifeline/http-server/TrustedProxies"
import type { BlockList } from "node:net"
import * as Command from "../commandLine/Command.js"

export interface ProxyOptions {
  /** Under which clients reach a proxy in front. */
  readonly publicUrl: PublicUrl.PublicUrl | undefined
  /** The proxies that are believed when they say for whom they ask. */
  readonly trustProxy: BlockList | undefined
}

/** Refuses the option if `parse` returns a text. */
const reading = <A>(parse: (text: string) => A | string) => (text: string, refuse: Command.Refuse): A => {
  const read = parse(text)
  return typeof read === "string" ? refuse(read) : read as A
}

export const options = {
  publicUrl: {
    ...Command.value(
      "URL",
      "The URL under which clients reach a proxy in front, such as https://mcp.example.com or https://example.com/tools. The gateway answers "
        + "to this name, too, and shows this URL. Needs a token; if you give none, the gateway generates one.",
      reading(PublicUrl.parse)
    ),
    variable: "MCP_LIFELINE_PUBLIC_URL"
  },
  trustProxy: {
    ...Command.value(
      "ADDRESSES",
      "The addresses of proxies, or ranges of them, with commas between them: 127.0.0.1,10.0.0.0/8. The gateway believes their headers Forwarded "
        + "and X-Forwarded-For, -Host and -Proto, and nobody else's. Needs a token, as --public-url does.",
      reading(TrustedProxies.parse)
    ),
    variable: "MCP_LIFELINE_TRUST_PROXY"
  }
}

/** Whether others than this machine can reach the gateway, wherever it listens. */
export const isBehindProxy = ({ publicUrl, trustProxy }: ProxyOptions): boolean =>
  trustProxy !== undefined || (publicUrl !== undefined && !Guard.isLoopback(publicUrl.hostname))
