// Rows as CSV, and commands for a shell: what is copied out of the page. Pure functions.

/** A cell. What a spreadsheet would take for a formula gets an apostrophe, as the command line does it. */
function cell(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  const plain = typeof value === "string" && /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/** Columns are {title, value(row)}; lines end as RFC 4180 has them. */
export function csvOf(columns, rows) {
  const lines = [columns.map((each) => cell(each.title))];
  for (const row of rows) lines.push(columns.map((each) => cell(each.value(row))));
  return lines.map((line) => `${line.join(",")}\r\n`).join("");
}

/** An argument as a POSIX shell reads it. */
export function quoted(text) {
  const plain = String(text);
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", "'\\''")}'`;
}

/** ["inventory", "list"], {type: "server", account: null} -> "flexlocal inventory list --type server". */
export function command(words, options = {}) {
  const parts = ["flexlocal", ...words];
  for (const [name, value] of Object.entries(options)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each === null || each === undefined || each === "" || each === false) continue;
      parts.push(`--${name.replaceAll("_", "-")}`);
      if (each !== true) parts.push(each);
    }
  }
  return parts.map(quoted).join(" ");
}
