#!/usr/bin/perl

# ai_proxy_client_abort: what becomes of an answer whose client has left, and
# what the books say of it.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my @events = @{ stream_events('one two three four') };
my $claude = claude_events('one two three four');
my $word = 'data: ' . encode(chunk({ content => 'word ' x 20 })) . "\n\n";
my $end = join '', map { 'data: ' . (ref $_ ? encode($_) : $_) . "\n\n" }
    @events[-3 .. -1];
my $up = Upstream->start(
    gate => { events => \@events, gate => 2 },
    claude => { events => $claude, gate => 4 },
    plain => { json => chat_answer('hi'), delay => 2 },
    late => { events => \@events, delay => 2 },
    failing => { status => 500, json => { error => { message => 'x' } },
        delay => 2 },
    stall => { events => \@events, cut => 2, then => 'stall' },
    mute => { fail => 'stall' },
    flood => { repeat => { text => $word, times => 100_000, end => $end } },
    endless => { repeat => { text => $word, times => 1_000_000 },
        pace => 0.0005 },
    good => { json => chat_answer('hi') },
);
my @names = qw(gate claude plain late failing stall mute flood endless good);
my $http = zone()
    . join('', map { provider($_ => ($_ eq 'claude' ? 'claude' : 'openai')
        => $up->url($_), 'keepalive 0;') } @names)
    . "ai_proxy_route failing_twice {\n provider failing;\n fallback good"
    . " on=5xx;\n}\n"
    . 'log_format e \'$uri $status $ai_proxy_error $ai_proxy_usage_source '
    . '$ai_proxy_input_tokens/$ai_proxy_output_tokens $ai_proxy_tries\';'
    . "\n";
my @policies = (
    [drain => 'drain'],
    [short => 'drain time=300ms size=10m'],
    [small => 'drain size=2k time=20s'],
    [big => 'drain time=30s size=64m'],
    [estimate => 'estimate'],
    [cancel => 'cancel'],
);
my $gw = Gateway->start(http => $http, access_log => '',
    server => "listen 127.0.0.1:%%PORT2%% http2;\n"
        . "access_log %%DIR%%/logs/access.log e;\n"
        . "location = /ai/status { access_log off; ai_proxy_status; }\n"
        . join '', map { my ($policy, $value) = @$_;
            map { "location /$policy/$_/ { ai_proxy_pass $_;"
                . " ai_proxy_client_abort $value; }\n" }
                @names, 'failing_twice' } @policies);

my $count = 0;
my $logged = sub { my @l = $gw->log_lines('access.log', ++$count);
    return $l[-1] =~ s{/v1/\S+}{}r };
my %stream = (stream => JSON::PP::true);
my $chat = '/v1/chat/completions';
my $fds = sub { my ($pid) = $gw->workers;
    return scalar(() = glob "/proc/$pid/fd/*") };

sub begin {
    my ($where, %fields) = @_;
    return $gw->client->send('POST', "/$where$chat", chat_body(%fields));
}

sub asked {
    my ($name) = @_;
    $gw->until(sub { $up->last_request($name)
        && defined $up->last_request($name)->{length} });
    select undef, undef, undef, 0.05;
}

begin('drain/good')->finish;
$logged->();
my $before = $fds->();

###############################################################################

# To the end, within the bounds.

for my $way (qw(close reset)) {
    for my $name (qw(gate claude)) {
        my $client = begin("drain/$name", %stream);
        $client->wait(sub { $_[0]{body} =~ /two/ }, 15);
        $client->$way;
        select undef, undef, undef, 0.1;
        is($up->last_request($name)->{outcome}, 'running',
            "$way, $name: the provider is read on");
        $up->open_gate($name);
        like($logged->(), qr{^/drain/$name 200 client_closed provider 11/4 },
            "$way, $name: the usage is the provider's");
        is($up->wait_outcome($name, 'done', 15)->{outcome}, 'done',
            "$way, $name: to the end");
        $up->clear;
    }

    for my $case (['plain'], ['late', %stream]) {
        my ($name, %fields) = @$case;
        my $client = begin("drain/$name", %fields);
        asked($name);
        $client->$way;
        like($logged->(), qr{^/drain/$name 499 client_closed provider 11/4 },
            "$way before the answer, $name");
        $up->clear;
    }
}

my $client = begin('drain/failing_twice');
asked('failing');
$client->close;
like($logged->(), qr{^/drain/failing_twice 499 client_closed none -/- },
    'a provider that fails then');
is(scalar(my @r = $up->requests('good')), 0, 'nobody else is asked');

# A client that takes nothing leaves a provider that waits.

$client = $gw->client(receive_buffer => 4096);
$client->send('POST', "/big/flood$chat", chat_body(%stream));
$client->wait(sub { $_[0]{body} =~ /word/ }, 15);
select undef, undef, undef, 0.5;
is($up->last_request('flood')->{outcome}, 'running', 'the provider waits');
$client->reset;
like($logged->(), qr{^/big/flood 200 client_closed provider 11/4 },
    'and is read to its end');

# The bounds.

for my $name (qw(stall mute)) {
    my $client = begin("short/$name", %stream);
    $name eq 'stall' ? $client->wait(sub { $_[0]{body} =~ /two/ }, 15)
        : asked($name);
    my $begin = Client::now();
    $client->close;
    my $line = $logged->();
    cmp_ok(Client::now() - $begin, '<', 20, "$name: the time is bounded");
    my $said = $name eq 'stall' ? 3 : 0; # "one", " two", " "
    my $status = $name eq 'stall' ? 200 : 499;
    like($line, qr{^/short/$name $status client_closed estimated \d+/$said },
        "$name: what is missing is estimated");
    is($up->wait_outcome($name, 'client_closed', 15)->{outcome},
        'client_closed', "$name: the provider's connection is closed");
    $up->clear;
}

$client = begin('small/endless', %stream);
$client->wait(sub { $_[0]{body} =~ /word/ }, 15);
$client->close;
like($logged->(), qr{^/small/endless 200 client_closed estimated \d+/\d+ },
    'the bytes are bounded');
is($up->wait_outcome('endless', 'client_closed', 15)->{outcome},
    'client_closed', "the provider's connection is closed");
$up->clear;

# At once, with an estimate and without.

for my $name (qw(gate claude)) {
    my $client = begin("estimate/$name", %stream);
    $client->wait(sub { $_[0]{body} =~ /two/ }, 15);
    $client->close;
    is($up->wait_outcome($name, 'client_closed', 15)->{outcome},
        'client_closed', "estimate, $name: closed at once");
    # "one two " is three tokens.
    my $prompt = $name eq 'claude' ? 11 : '(?:[5-9]|1\d|2\d)';
    like($logged->(),
        qr{^/estimate/$name 200 client_closed estimated $prompt/3 },
        "estimate, $name: in the log");
    $up->clear;
}

$client = begin('cancel/gate', %stream);
$client->wait(sub { $_[0]{body} =~ /two/ }, 15);
$client->close;
is($up->wait_outcome('gate', 'client_closed', 15)->{outcome}, 'client_closed',
    'cancel: closed at once');
like($logged->(), qr{^/cancel/gate 200 client_closed none -/- },
    'cancel: nothing is made up');
$up->clear;

# HTTP/2: the stream is reset, and its connection closed.

my ($rc) = curl('--http2-prior-knowledge', '-N', '-m', 3, '-o', '/dev/null',
    '-H', 'Content-Type: application/json', '-d', chat_body(%stream),
    'http://127.0.0.1:' . $gw->{port2} . "/drain/gate$chat");
is($rc, 28, 'HTTP/2: the client gives up');
$up->open_gate('gate');
like($logged->(), qr{^/drain/gate 200 client_closed provider 11/4 },
    'HTTP/2: the usage is the provider\'s');

# A client that stays sees nothing of all this.

$client = begin('drain/gate', %stream);
$client->wait(sub { $_[0]{body} =~ /two/ }, 15);
$up->open_gate('gate');
check_stream($client->finish, 'one two three four', 'a client that stays');
like($logged->(), qr{^/drain/gate 200 - provider 11/4 }, 'in the log');
$up->clear;

# Many at odd times.

my @many = map { begin((qw(drain short estimate))[$_ % 3]
    . (qw(/stall /claude /late))[$_ % 2 + ($_ % 5 == 0)], %stream) } 1 .. 30;
for my $client (@many) {
    $client->wait(sub { $_[0]{body} =~ /one/ }, 1) if rand() < 0.3;
    rand() < 0.5 ? $client->close : $client->reset;
}
$up->open_gate('claude') for 1 .. 40;
$gw->until(sub { $gw->log_lines('access.log', $count + 30) }, 20);
ok($gw->until(sub { !grep { $_->{outcome} eq 'running' } $up->requests }, 15),
    'no provider is left hanging');
my $status = read_status();
is($status->{active}, 0, 'no stream counts as running');
cmp_ok($status->{drains}, '>=', 11, 'drains are counted');
cmp_ok($status->{cut}, '>=', 3, 'and those that were cut');
ok($gw->until(sub { $fds->() <= $before + 2 }, 15), 'no descriptor is left')
    or diag($fds->() . " after $before");

sub read_status {
    my %sum = (active => 0, drains => 0, cut => 0);
    my $series = Client::json($gw->client->get('/ai/status'))->{series};
    for my $one (@$series) {
        $sum{active} += $one->{active_streams};
        $sum{drains} += $one->{client_drains_total};
        $sum{cut} += $one->{client_drains_cut_total};
    }
    return \%sum;
}

done($gw, $up);
