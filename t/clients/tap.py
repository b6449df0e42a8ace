"""TAP of a script: its functions marked as a test, run one after the other."""

import traceback

tests = []
count = 0
prefix = ""  # of each name


def test(function):
    tests.append(function)
    return function


def ok(condition, name):
    global count
    count += 1
    print(f"{'ok' if condition else 'not ok'} {count} - {prefix}{name}",
          flush=True)
    return condition


def same(got, wanted, name):
    if not ok(got == wanted, name):
        print(f"# {name}: got {got!r}, wanted {wanted!r}"[:2000], flush=True)


def run():
    for function in tests:
        try:
            function()
        except Exception:  # a test's own failure, whatever it is
            ok(False, f"{function.__name__} raised")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
    print(f"1..{count}", flush=True)
