/** Stands in for a package manager: takes its title, and runs the rest of its arguments under a shell that stays their parent. */
import { spawn } from "node:child_process"

const [title = "", ...command] = process.argv.slice(2)
process.title = title
spawn("sh", ["-c", '"$@"; exit $?', "sh", ...command], { stdio: "inherit" })
