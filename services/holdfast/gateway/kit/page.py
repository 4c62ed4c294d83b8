"""The kit as one HTML page: no other file, no network, readable in black and white."""

from html import escape
from importlib.resources import files
from string import Template

import msgspec

from holdfast.gateway.kit.content import Kit, KitEntry, SealedKitFile

LOCKED = """<h1>Holdfast recovery kit</h1>
<p>What is needed to get the backups back without Holdfast. It is locked with the passphrase
that was chosen when this page was made. Nothing leaves this page, and no network is needed.</p>
<form id="unlock" autocomplete="off">
<label for="passphrase">Passphrase</label>
<input id="passphrase" type="password" required>
<button type="submit">Open</button>
<p id="told" role="alert" aria-live="assertive"></p>
</form>
<noscript><p>This page opens itself with JavaScript, which is switched off here. Where Holdfast is
installed, <code>holdfast recovery-kit open FILE</code> opens it too.</p></noscript>"""

EMPTY = "<p>There is no destination yet: make a new kit when there is one.</p>"


def page(kit: Kit) -> str:
    """The page to print."""
    return whole(body_of(kit))


def locked_page(sealed: SealedKitFile) -> str:
    """A page that shows what was sealed (``body_of``) to whoever has the passphrase."""
    # In a script element "<" could end it; base64 has none, and neither has the rest.
    text = msgspec.json.encode(sealed).decode().replace("<", "\\u003c")
    return whole(LOCKED, _template("unlock.html").substitute(sealed=text))


def body_of(kit: Kit) -> str:
    """All that is secret of the page, as HTML."""
    sections = "\n".join(
        _section(number, entry) for number, entry in enumerate(kit.destinations, start=1)
    )
    return f"""<h1>Holdfast recovery kit</h1>
<p>Made on {kit.made_at:%Y-%m-%d at %H:%M} UTC. Holdfast {kit.instance_id}</p>
<p><strong>Whoever has this page can read every backup.</strong> Print it, keep it where you
keep documents that matter, away from the machines that are backed up, and delete the file.
Make a new one when a destination is added or a password is changed, and destroy this one.</p>
<p>Holdfast is not needed to get the data back, only <em>restic</em>, version 0.18 or newer, from
your system's packages or from restic.net. Below, for each destination: type the first box into
a terminal, then one command after the other. Each app is a snapshot of its own; the first
command lists them all. In the last command, <code>latest</code> means the newest of all: put the
ID of the snapshot that you want in its place. What comes back is put into the new folder
<code>restored</code>.</p>
{sections or EMPTY}"""


def _section(number: int, entry: KitEntry) -> str:
    listing, checking, restoring = (escape(command) for command in entry.commands)
    exports = escape("\n".join(entry.exports))
    credentials = "".join(
        f"<dt>{escape(name)}</dt><dd><code>{escape(text)}</code></dd>"
        for name, text in entry.environment.items()
        if not name.startswith("RESTIC_")
    )
    out_of_use = (
        ""
        if entry.in_use
        else '<p class="not-in-use">No longer in use; the old backups are still there.</p>'
    )
    return f"""<section id="destination-{number}">
<h2>{number}. {escape(entry.name)}</h2>{out_of_use}
<dl>
<dt>Kind</dt><dd>{escape(entry.kind)}</dd>
<dt>Place</dt><dd>{escape(entry.place)}</dd>
<dt>Repository</dt><dd><code>{escape(entry.repository)}</code></dd>
<dt>Password</dt><dd><code>{escape(entry.password)}</code></dd>
{credentials}</dl>
<p>First type this:</p>
<pre class="environment">{exports}</pre>
<p>List what is there:</p>
<pre class="command">{listing}</pre>
<p>See whether it is sound:</p>
<pre class="command">{checking}</pre>
<p>Get it back:</p>
<pre class="command">{restoring}</pre>
</section>"""


def whole(body: str, script: str = "") -> str:
    """A page around *body*, which is HTML."""
    return _template("page.html").substitute(body=body, script=script)


def _template(name: str) -> Template:
    return Template(files("holdfast.gateway.kit").joinpath(name).read_text(encoding="utf-8"))
