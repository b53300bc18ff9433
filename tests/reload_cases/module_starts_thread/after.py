# file: clock.py
import threading

WORD = "tock"
STOP = threading.Event()
threading.Thread(target=STOP.wait, args=(20,), name="world clock", daemon=True).start()


def clocks():
    return sum(thread.name == "world clock" for thread in threading.enumerate())
