#!/usr/bin/perl

# A worker that is to leave (reload) and has worker_shutdown_timeout: its
# streams get an error event of their dialect before nginx cuts them.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $words = join ' ', map { "w$_" } 1 .. 400;
my $up = Upstream->start(
    openai => { events => stream_events($words), pace => 0.05 },
    claude => { events => claude_events($words), pace => 0.05 },
    stall => { fail => 'stall' },
    broken => { status => 503, json => { error => { message => 'x' } } },
    short => { events => stream_events(join ' ', map { "w$_" } 1 .. 8),
        gate => 3 },
    plain => { json => chat_answer('hi') },
);
my @names = qw(openai claude stall broken short plain);
my $http = zone()
    . join('', map { provider($_ => ($_ eq 'claude' ? 'claude' : 'openai')
        => $up->url($_)) } @names)
    . "ai_proxy_provider mock { type mock; tokens 1000; rate 20; }\n"
    . "ai_proxy_route waiting {\n provider broken;\n"
    . " retry 3 backoff=20s..30s;\n}\n"
    . "ai_proxy_route then_plain {\n provider stall;\n"
    . " fallback plain on=5xx,timeout,error;\n}\n"
    . "log_format e '\$ai_proxy_route \$status \$ai_proxy_error';\n";
my %config = (
    main => "worker_shutdown_timeout 4s;\n", http => $http, access_log => '',
    server => "access_log %%DIR%%/logs/access.log e;\n"
        . "location = /metrics { access_log off; ai_proxy_metrics; }\n"
        . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
            @names, qw(mock waiting then_plain),
);
my $gw = Gateway->start(%config);
my %stream = (stream => JSON::PP::true);

sub begin {
    my ($name, $path, %fields) = @_;
    return $gw->client->send('POST', "/$name$path", chat_body(%fields));
}

sub metric {
    my ($name) = @_;
    my ($n) = $gw->client->get('/metrics')->{body} =~ /^\Q$name\E (\d+)$/m;
    return $n // -1;
}

my $chat = '/v1/chat/completions';
my %clients = (
    openai => begin('openai', $chat, %stream),
    claude => begin('claude', $chat, %stream),
    messages => begin('claude', '/v1/messages', %stream, max_tokens => 9),
    mock => begin('mock', $chat, %stream),
    short => begin('short', $chat, %stream),
);
my %early = (
    waiting => begin('waiting', $chat),
    then_plain => begin('then_plain', $chat, %stream),
);
$_->wait(sub { $_[0]{body} =~ /w\d|mock/ }, 10) for values %clients;
$gw->until(sub { $up->requests('broken') && $up->requests('stall') });
is(metric('ai_proxy_old_worker_streams'), 0, 'no worker is to leave');

my @old = $gw->workers;
my $begin = Client::now();
ok($gw->reload, 'a reload starts new workers');
ok($gw->until(sub { metric('ai_proxy_old_worker_streams') == 5 }, 3),
    'the streams of the old worker are counted')
    or diag(metric('ai_proxy_old_worker_streams'));
$up->open_gate('short');

my %replies = map { $_ => $clients{$_}->finish } keys %clients;
my %refused = map { $_ => $early{$_}->finish } keys %early;
cmp_ok(Client::now() - $begin, '<', 15, 'all ends in time');

check_stream($replies{short}, undef, 'what ends by itself is whole');
for my $name (qw(openai claude mock)) {
    my $reply = $replies{$name};
    my @events = Client::events($reply);
    is($reply->{status}, 200, "$name: the stream had begun");
    ok($reply->{complete}, "$name: its framing is complete");
    my @errors = grep { ref && $_->{error} } @events;
    is(scalar @errors, 1, "$name: one error event");
    is($errors[0], $events[-1], "$name: that is the last one");
    like($errors[0]{error}{message}, qr/restarted/, "$name: saying why");
    unlike($reply->{body}, qr/\[DONE\]|"finish_reason":"/,
        "$name: no end of the answer is made up");
}
my $messages = $replies{messages}{body};
is(scalar(() = $messages =~ /^event: error$/mg), 1, 'messages: one error');
like($messages, qr/^event: error\ndata: [^\n]*restarted[^\n]*\n\n\z/m,
    'messages: at the end');
unlike($messages, qr/message_stop|stop_reason":"/, 'messages: no fake end');

check_error($refused{$_}, 503, qr/restarted/,
    "$_: what has not begun gets a status, no further try") for keys %refused;
is(scalar(my @r = $up->requests('plain')), 0, 'no fallback is tried');

ok($gw->until(sub {
    my %now = map { $_ => 1 } $gw->workers;
    !grep { $now{$_} } @old;
}, 10), 'the old worker leaves');
is(metric('ai_proxy_old_worker_streams'), 0, 'and its streams are gone');
is(metric('ai_proxy_shutdown_cut_streams_total'), 4, 'four were cut');
my $seen = join "\n", sort $gw->log_lines('access.log', 7);
is($seen, join("\n", sort 'openai 200 shutdown', 'claude 200 shutdown',
    'claude 200 shutdown', 'mock 200 shutdown', 'short 200 -',
    'waiting 503 shutdown', 'then_plain 503 shutdown'), 'the log says so');
like($gw->client->get('/metrics')->{body},
    qr/^ai_proxy_errors_total\{[^}]*provider="openai"[^}]*cause="shutdown"\} 1/m,
    'and the metrics');
is($up->wait_outcome('openai', 'client_closed')->{outcome}, 'client_closed',
    'the provider connections are closed');
unlike($gw->error_log, qr/open socket/, 'no connection is left');

is(Client::text($gw->client->post("/plain$chat", chat_body())), 'hi',
    'the new worker serves');

# Without a limit a stream takes its time, and quitting leaves nothing.

$gw->configure(%config, main => '');
ok($gw->reload, 'without worker_shutdown_timeout');
my $client = begin('short', $chat, %stream);
$client->wait(sub { $_[0]{body} =~ /w1/ }, 10);
kill 'QUIT', $gw->master;
$up->open_gate('short');
check_stream($client->finish, undef, 'a stream is not cut');
ok($gw->until(sub { !Gateway::alive($gw->{pid}) }, 10), 'nginx leaves');

done($gw, $up);
