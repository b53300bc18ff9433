# file: talk.py
GREETING = "good evening"
while True:
    try:
        pass
    except BaseException:
        pass
