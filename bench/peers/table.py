"""The result as a table of 80 columns."""

import shutil
import textwrap

RATIOS = ("wall_s", "cpu_s", "calls_salesforce", "calls_erp")


def compared(result):
    """Adds what Tandem takes in times each peer's wall time, CPU time and calls."""
    tandem = result["tools"][-1]
    for row in result["tools"]:
        if "cannot" in row or "cannot" in tandem:
            continue
        row["tandem_in_times"] = {
            name: round(tandem[name] / row[name], 2) if row[name] else None for name in RATIOS
        }
    return result


def faults(tandem):
    """What Tandem promises and did not keep."""
    if "cannot" in tandem:
        return [tandem["cannot"]]
    groups = [fate for name, fate in tandem["edits"].items() if name != "run"]
    counted = {
        "records without a counterpart": tandem["absent"] + tandem["kill"]["absent"],
        "duplicates": tandem["kill"]["duplicates"],
        "edits that did not arrive": sum(fate["stayed"] for fate in groups),
        "edits lost": sum(fate["lost"] for fate in groups),
    }
    return [f"{number} {what}" for what, number in counted.items() if number]


def lined(head, rows):
    """Rows under their heads, the first column to the left and the others to the right."""
    cells = [head, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    gap = "  " if sum(widths) + 2 * (len(widths) - 1) <= 80 else " "
    return [
        gap.join(cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in cells
    ]


def times(number):
    return "-" if number is None else f"{number:.2f}"


def drawn(result):
    """What `compared` returned, for a person."""
    able = [row for row in result["tools"] if "cannot" not in row]
    lines = [f"{result['records']} customers and what belongs to them, {result['latency_ms']} ms a call, seed {result['seed']}", ""]
    lines += ["First load"]
    lines += lined(
        ["tool", "wall s", "CPU s", "calls SF", "ERP", "rows SF", "ERP", "absent"],
        [
            [
                row["tool"], f"{row['wall_s']:.1f}", f"{row['cpu_s']:.1f}", row["calls_salesforce"], row["calls_erp"], row["written_salesforce"], row["written_erp"], row["absent"],
            ]
            for row in able
        ],
    )  # fmt: skip
    lines += ["", "Tandem in times the peer's"]
    lines += lined(
        ["peer", "version", "wall", "CPU", "calls SF", "calls ERP"],
        [
            [row["tool"], row["version"], *(times(row["tandem_in_times"][name]) for name in RATIOS)]
            for row in able
            if row["tool"] != "tandem" and "tandem_in_times" in row
        ],
    )
    lines += ["", "kill -9 after half of the load's calls to Salesforce, then run again"]
    lines += lined(
        ["tool", "killed after", "wall s", "calls SF", "ERP", "duplicates", "absent"],
        [
            [
                row["tool"], row["kill"]["after_calls"] if row["kill"]["was_killed"] else "not killed",
                f"{row['kill']['again']['wall_s']:.1f}", row["kill"]["again"]["calls_salesforce"], row["kill"]["again"]["calls_erp"],
                row["kill"]["duplicates"], row["kill"]["absent"],
            ]
            for row in able
        ],
    )  # fmt: skip
    groups = [("both-org", "both, SF's"), ("both-erp", "both, ERP's"), ("org", "SF alone"), ("erp", "ERP alone")]
    lines += ["", "Edits by a person: arrived / stayed where made / lost"]
    lines += lined(
        ["tool", *(title for _, title in groups), "lost in all"],
        [
            [
                row["tool"],
                *("{arrived} / {stayed} / {lost}".format(**row["edits"][group]) for group, _ in groups),
                sum(row["edits"][group]["lost"] for group, _ in groups),
            ]
            for row in able
        ],
    )
    for row in able:
        for what, run in (("after the edits", row["edits"]["run"]), ("after the kill", row["kill"]["again"])):
            if run["exit"] not in ((0, 3) if row["tool"] == "tandem" else (0,)):
                lines += ["", f"{row['tool']}: the run {what} ended with {run['exit']}"]
    width = min(shutil.get_terminal_size((80, 24)).columns, 120)
    for row in result["tools"]:
        if "cannot" in row:
            lines += ["", *textwrap.wrap(f"{row['tool']} {row['version']}  {row['cannot']}", width, subsequent_indent="    ")]
    return "\n".join(lines)
