/** A command with which a person asks an endpoint as a client does, without a client of their own. */
export const inspector = (url: string, method: string, options = ""): string =>
  `npx @modelcontextprotocol/inspector --cli ${url} --transport http${options} --method ${method}`
