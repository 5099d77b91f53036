"""Event ids: UUIDv7, fresh and ascending."""

import os
import random
import uuid

import pytest

from eventstore import InvalidEvent
from eventstore.identifier import check_event_id, new_id, new_ids


def test_an_id_is_a_uuid_of_version_7_and_the_variant_of_rfc_9562() -> None:
    found = uuid.UUID(new_id())

    assert found.version == 7
    assert found.variant == uuid.RFC_4122


def test_the_ids_of_one_call_ascend_as_text_and_as_numbers() -> None:
    ids = new_ids(5000)

    assert ids == sorted(ids)
    assert len(set(ids)) == 5000
    assert sorted(ids, key=lambda each: uuid.UUID(each).int) == ids


def test_a_program_that_seeds_the_shared_generator_still_gets_fresh_ids() -> None:
    random.seed(1)
    first = new_id()
    random.seed(1)

    assert new_id()[-17:] != first[-17:]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_draws_other_ids() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, new_id().encode())
        os._exit(0)
    mine = new_id()
    os.waitpid(child, 0)

    assert os.read(reader, 100).decode()[-17:] != mine[-17:]
    os.close(reader)
    os.close(writer)


def test_an_id_is_taken_in_every_way_of_writing_it() -> None:
    wanted = uuid.UUID(int=7)

    assert {check_event_id(each) for each in (wanted, str(wanted), f"{{{wanted}}}", wanted.hex)} == {str(wanted)}


@pytest.mark.parametrize("given", ["", "7", 7, None, b"x"])
def test_what_is_no_uuid_is_refused(given: object) -> None:
    with pytest.raises(InvalidEvent, match="event_id: expected a UUID, got "):
        check_event_id(given)  # type: ignore[arg-type]  # wrong on purpose
