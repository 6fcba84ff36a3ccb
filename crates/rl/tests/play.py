"""Plays in a terminal of 80 columns and 24 rows: PROGRAM ENV, then what is pressed at each screen.

Prints as JSON: what the program wrote, its exit status, and whether the terminal is what it was.
"""

import fcntl, json, os, pty, struct, subprocess, sys, termios

program, env, *presses = sys.argv[1:]
person, terminal = pty.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
before = termios.tcgetattr(terminal)
child = subprocess.Popen(
    [program, "play", env],
    stdin=terminal,
    stdout=terminal,
    stderr=terminal,
    start_new_session=True,
    env={**os.environ, "TERM": "xterm"},
)
said = b""
for press in presses:
    seen = len(said)
    # A screen ends so; what is pressed is pressed when one has seen it.
    while not said[seen:].endswith(b"\x1b[J"):
        said += os.read(person, 65536)
    os.write(person, press.encode().decode("unicode_escape").encode())
# What is said on the terminal itself, when the screen is gone.
while b"return" not in said.partition(b"\x1b[?1049l")[2]:
    said += os.read(person, 65536)
status = child.wait(60)
same = termios.tcgetattr(terminal) == before
print(json.dumps({"said": said.decode(), "status": status, "same": same}))
