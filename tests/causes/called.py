"""Numbers that leave in functions which others call: by defaults, decorators, closures, coroutines, callbacks."""

from __future__ import annotations

import asyncio
import functools

from tests.causes.leaving import aside, back, h, rest, unseen


@unseen
def given_as_a_default(m):
    number = h(m).norm().item() + 1  # LEFT

    def scaled(values, by=number):
        return (values * by).sum()

    return scaled(m.v)


@unseen
def given_as_a_default_of_a_function_without_a_name(m):
    number = h(m).norm().item() + 1  # LEFT
    scaled = lambda values, by=number: (values * by).sum()  # noqa: E731
    return scaled(m.v)


@unseen
def given_as_a_default_of_a_method(m):
    number = h(m).norm().item() + 1  # LEFT

    class Scale:
        def scaled(self, values, *, by=number):
            return (values * by).sum()

    return Scale().scaled(m.v)


@back
def given_to_a_decorator(m):
    def scaled_by(number):
        def around(function):
            def inner(values):
                return (function(values) * number).sum()

            return inner

        return around

    @scaled_by(h(m).norm().item() + 1)  # CUT
    def doubled(values):
        return values * 2

    return doubled(m.v)


@unseen
def given_to_the_base_of_a_class(m):
    class Base:
        def __init_subclass__(cls, scale):
            cls.scale = scale

    class Scale(Base, scale=h(m).norm().item() + 1):  # LEFT
        pass

    number = Scale.scale
    return (m.v * number).sum()


@unseen
def handed_out_by_a_coroutine_that_is_gathered(m):
    async def norm():
        return h(m).norm().item() + 1  # LEFT

    async def scaled():
        number, _ = await asyncio.gather(norm(), asyncio.sleep(0))
        return (m.v * number).sum()

    return asyncio.run(scaled())


@unseen
def put_by_a_coroutine_into_what_it_is_given(m):
    async def put(found):
        found.append(h(m).norm().item() + 1)  # LEFT

    async def scaled():
        found = []
        await asyncio.gather(put(found))
        return (m.v * found[0]).sum()

    return asyncio.run(scaled())


@unseen
def set_by_a_coroutine_as_the_result_of_another(m):
    async def tell(future):
        future.set_result(h(m).norm().item() + 1)  # LEFT

    async def scaled():
        future = asyncio.get_running_loop().create_future()
        await asyncio.gather(tell(future))
        number = await future
        return (m.v * number).sum()

    return asyncio.run(scaled())


@unseen
def handed_out_where_a_generator_ends(m):
    def norms():
        yield 1.0
        return h(m).norm().item() + 1  # LEFT

    going = norms()
    try:
        while True:
            next(going)
    except StopIteration as end:
        number = end.value
    return (m.v * number).sum()


@back
def set_by_an_inner_function_in_the_one_around_it(m):
    number = 1.0

    def note():
        nonlocal number
        number = h(m).norm().item() + 1  # CUT

    note()
    return (m.v * number).sum()


@back
def put_by_what_sorts_into_a_list_around_it(m):
    found = []

    def key(number):
        found.append(h(m).norm().item() + 1)  # CUT
        return number

    sorted([1, 2], key=key)
    return (m.v * found[-1]).sum()


@unseen
def put_into_a_list_that_is_handed_out_beside_the_function_that_does(m):
    def both():
        found = []

        def put():
            found.append(h(m).norm().item() + 1)  # LEFT

        return found, put

    found, put = both()
    put()
    return (m.v * found[0]).sum()


@back
def put_by_a_function_without_a_name_into_what_it_is_given(m):
    found = []
    put = lambda into: into.append(h(m).norm().item() + 1)  # noqa: E731  # CUT
    put(found)
    return (m.v * found[0]).sum()


@unseen
def put_by_a_function_that_goes_over_many(m):
    def put(into):
        into.append(h(m).norm().item() + 1)  # LEFT

    found = []
    list(map(put, [found]))
    return (m.v * found[0]).sum()


@unseen
def put_by_a_function_whose_arguments_wait(m):
    def put(into):
        into.append(h(m).norm().item() + 1)  # LEFT

    found = []
    functools.partial(put, found)()
    return (m.v * found[0]).sum()


@unseen
def put_by_a_function_with_another_around_it(m):
    def around(function):
        def inner(*arguments):
            return function(*arguments)

        return inner

    @around
    def put(into):
        into.append(h(m).norm().item() + 1)  # LEFT

    found = []
    put(found)
    return (m.v * found[0]).sum()


@unseen
def put_into_each_of_many(m):
    def put(*lists):
        for one in lists:
            one.append(h(m).norm().item() + 1)  # LEFT

    seen, found = [], []
    put(seen, found)
    return (m.v * found[0]).sum()


@aside
def logged_by_a_coroutine(m):
    async def log(number):
        await asyncio.sleep(0)
        print(number)

    async def step():
        await asyncio.gather(log(h(m).norm().item()))
        return rest(m) * 2.0

    return asyncio.run(step())


@aside
def kept_by_a_function_around_it_that_reports_it(m):
    seen, rates = [], [0.5]

    def note(number, into=seen):
        into.append(number)

    def rate():
        return rates[0]

    note(h(m).norm().item())
    by = rate()
    return rest(m) * by
