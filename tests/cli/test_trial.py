from tests.cli.kit import Office
def test_it(office: Office) -> None:
    d = office.run(code=0)
    print(d)
    assert len(office.users()) == 5
    d = office.run(code=0)
    assert office.one()["requests"] == 0
def test_g(grouped: Office) -> None:
    d = grouped.run(code=0)
    print(d, grouped.members(), grouped.requests())
    r = grouped.process("run", "--once")
    print(r)
    print(grouped.do("status").said, grouped.do("check").said, grouped.do("plan").said)
    assert 0
