/**
 * Tests leave the state folder of whoever runs them alone: they have one of their own, unless a test names another.
 */
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"

process.env["MCP_LIFELINE_STATE"] ??= join(tmpdir(), `lifeline-tests-${userInfo().username}`)
