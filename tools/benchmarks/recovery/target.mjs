/** A server as it stands in a configuration, for clients that take it in that form. @param {import("./client.js").Target} target */
export const entryOf = (target) =>
  target.kind === "http" ? { url: target.url } : { command: target.command, args: target.args, env: target.env }
