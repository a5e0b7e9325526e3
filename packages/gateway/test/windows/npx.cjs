// In the place of npx: starts mcp-lifeline, or a server that lies here.
const { join } = require("node:path")
const { pathToFileURL } = require("node:url")

const [name, ...args] = process.argv.slice(2).filter((word, index) => index > 0 || word !== "-y")
const file = join(__dirname, name === "mcp-lifeline" ? join("esm", "bin.js") : `${name}.cjs`)
process.argv = [process.execPath, file, ...args]
void import(pathToFileURL(file).href)
