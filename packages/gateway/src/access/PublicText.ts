/**
 * What callers that are no admins read of a server: not where and with which code somebody signs in for all, not how the server is
 * started, and not what its process has written, which may be about others. Pure.
 */

/** What to do about a server that somebody has to sign in to for all. */
export const signIn = (server: string): string => `Ask an operator of the gateway to sign in to ${server}`

const whoSignsIn = "an operator of the gateway has to sign in"

/** Longer texts of a server are cut first: each of the steps below takes time in proportion to the length. */
const longest = 10_000

/** A command is shown up to this length. */
const longestCommand = 200

/** What stands before what a process has written, and how much of that is shown. */
const outputs = [
  ["; stderr: ", ""],
  [" not JSON-RPC, ", " not JSON-RPC"],
  [" (a server logs to stderr): ", ""]
] as const

/** Where a text begins to say what a process has written. */
const endOf = (text: string): number =>
  outputs.reduce((end, [mark, shown]) => {
    const at = text.indexOf(mark)
    return at < 0 ? end : Math.min(end, at + shown.length)
  }, Math.min(longest, text.length))

/** How the command of a server is quoted in messages. */
const quotedCommands = (target: string): ReadonlyArray<string> =>
  target === ""
    ? []
    : [
      JSON.stringify(target),
      ...(target.length > longestCommand ? [JSON.stringify(`${target.slice(0, longestCommand)}...`)] : []),
      target
    ]

/** Without the marks that end a clause. */
const withoutEnd = (address: string): string => {
  let end = address.length
  while (end > 0 && ";,.:)]".includes(address[end - 1]!)) end--
  return address.slice(0, end)
}

/** Where somebody has to sign in, with or without a code. */
const logins = /\b(?:open|a person has to log in at) https?:\/\/\S+(?: and enter the code \S+)?/gi

const withoutLogins = (text: string): string =>
  text
    .replace(logins, (all) => `${whoSignsIn}${all.slice(withoutEnd(all).length)}`)
    .replace(/\b(enter the code) \S+/gi, "$1")
    .replace(/\b[A-Z0-9]{4}-[A-Z0-9]{4}\b/g, "[code]")

const withoutAddresses = (text: string): string =>
  text.replace(/\bhttps?:\/\/[^\s"'<>]+/gi, (address) => `[address]${address.slice(withoutEnd(address).length)}`)

/** All addresses but those where the caller itself signs in. */
const withoutOtherAddresses = (text: string): string => {
  let [shown, end] = ["", 0]
  for (const { 0: login, index } of text.matchAll(logins)) {
    shown += withoutAddresses(text.slice(end, index)) + login
    end = index + login.length
  }
  return shown + withoutAddresses(text.slice(end))
}

/**
 * A text about a server as such a caller may read it. `target`: the server's command or address. `isOwnLogin`: whether where and with which code to
 * sign in is for the caller itself.
 */
export const of = (text: string, target: string, isOwnLogin = false): string => {
  let found = text.slice(0, endOf(text))
  const its = /^https?:/i.test(target) ? "its address" : "its command"
  for (const one of quotedCommands(target)) found = found.replaceAll(one, its)
  return (isOwnLogin ? withoutOtherAddresses(found) : withoutAddresses(withoutLogins(found)))
    .replace(/\bcommand:? (?=its command\b)/g, "")
    // One that was cut has no end.
    .replace(/\b(command|cwd):? "(?:[^"\\]|\\[^])*(?:"|\\?$)/g, "its $1")
    // On Windows, what follows names scripts and folders.
    .replace(/\bits command (?:needs "|is a script \(|was not found in PATH \()[^]*$/, "its command cannot be started")
    .replace(/\bargs: \[[^]*$/, "its args")
}
