import { project } from "../../scripts/vitest/project.js"

export default project("@mcp-lifeline/sign-in", { built: true })
