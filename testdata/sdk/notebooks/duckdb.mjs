// Runs the SQL of standard input in the folder DIR, and prints the rows of each statement as JSON.
import { readFileSync } from "node:fs"
import { DuckDBInstance } from "@duckdb/node-api"

process.chdir(process.env.DIR)
const connection = await (await DuckDBInstance.create()).connect()
for (const statement of readFileSync(0, "utf8").split(";")) {
  if (statement.trim() === "") continue
  const rows = (await connection.runAndReadAll(statement)).getRowsJson()
  for (const row of rows) console.log(JSON.stringify(row))
}
