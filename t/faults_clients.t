#!/usr/bin/perl

# Clients that leave, in every state of a request: the provider's connection
# is closed, the books are closed once, nothing is left.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Faults;
use POSIX ();
use Test::More;

needs_module();

my $up = Faults->start(tls => 1);
my $certificates = $up->{certificates};
my $ca = "ssl_trusted_certificate $certificates/ca.crt;";
my %fault = (
    connect => ['ok', 'full'], handshake => ['ok', 'tls_stall', $ca],
    waiting => ['stall_before'], line => ['stall_line'],
    header => ['stall_header'], head => ['stall_after_head'],
    body => ['stall_body'], event => ['half_stall'], done => ['done_stall'],
    endless => ['flood:1000'], secure => ['flood:1000', 'tls_good', $ca],
    refused => ['ok', 'refused'], ok => ['ok'], drip => ['drip'],
    comments => ['comments_late'], broken => ['status:503'],
    cut => ['half_close'], reset => ['reset_body'],
);
my @names = sort keys %fault;
my $http = "ai_proxy_zone ai 4m;\n";
for my $name (@names) {
    my ($what, $port, @lines) = @{ $fault{$name} };
    $http .= provider("${name}_$_" => $_ => $up->url($what, $port),
        'key_cooldown off;', 'keepalive 0;', @lines) for qw(openai claude);
}
$http .= "ai_proxy_route backoff_$_ {\n provider broken_$_;\n"
    . " retry 3 backoff=20s..30s;\n}\n" for qw(openai claude);
my @places = map { ("${_}_openai", "${_}_claude") } @names, 'backoff';
my $gw = Gateway->start(
    http => "$http\nlog_format books '\$uri|\$status|\$ai_proxy_error|"
        . "\$ai_proxy_tries';\n",
    access_log => '',
    server => <<"EOF" . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
access_log %%DIR%%/logs/access.log books;
listen 127.0.0.1:%%PORT2%% ssl http2;
ssl_certificate $certificates/server.crt;
ssl_certificate_key $certificates/server.key;
location = /metrics { access_log off; ai_proxy_metrics; }
EOF
        @places);

my $chat = 'v1/chat/completions';
my %body = (plain => chat_body(), stream => chat_body(stream => \1));
$gw->client->post("/ok_openai/$chat", $body{plain},
    headers => { Connection => 'close' });
my $before = settled($gw, $up);
my $logged = 1;

sub log_line {
    my @lines = $gw->log_lines('access.log', ++$logged);
    return $lines[ $logged - 1 ] // '';
}

# Nothing of a request is left once it is over.
sub nothing_left {
    my ($name) = @_;
    my ($files, $open);
    $gw->until(sub {
        ($files, $open) = (open_files($gw), $up->open);
        $files == $before && $open == 0;
    }, 10);
    is("$files, $open", "$before, 0", "$name: nothing is left");
}

# A curl that is ended a moment after the condition holds.
sub leave_with_curl {
    my ($until, @args) = @_;
    defined(my $pid = fork) or die "fork: $!";
    if ($pid == 0) {
        delete $ENV{LD_PRELOAD};
        exec 'curl', '-sS', '-o', '/dev/null', '--stderr', '/dev/null', @args
            or POSIX::_exit(127);
    }
    $gw->until($until, 10);
    select undef, undef, undef, 0.1;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

# Sum of a counter or a gauge.
sub metric {
    my ($name) = @_;
    my $sum = 0;
    my $text = $gw->client->get('/metrics',
        headers => { Connection => 'close' })->{body};
    $sum += $1 while $text =~ /^ai_proxy_\Q$name\E(?:\{[^}]*\})? (\S+)$/mg;
    return $sum;
}

###############################################################################
# one state after the other

for my $kind (qw(openai claude)) {
    for my $way ($kind eq 'openai' ? qw(close reset) : 'close') {
        # state, form, what the client has seen by then
        for my $case (
            ['connect', 'plain'], ['handshake', 'plain'],
            ['waiting', 'plain', 1], ['waiting', 'stream', 1],
            ['line', 'plain', 1], ['header', 'stream', 1],
            ['head', 'plain', 1], ['head', 'stream', 1],
            ['body', 'plain', 1], ['body', 'stream', 1, qr/two/],
            ['event', 'stream', 1, qr/two/], ['endless', 'stream', 1, qr/xxx/],
            ['secure', 'stream', 1, qr/xxx/],
            ['comments', 'stream', 1, qr/two/], ['backoff', 'plain', 0],
        ) {
            my ($state, $form, $asked, $seen) = @$case;
            my $client = $gw->client->send('POST', "/${state}_$kind/$chat",
                $body{$form});
            $gw->until(sub { $up->open }) if $asked || $state eq 'handshake';
            $client->wait(sub { $_[0]{body} =~ $seen }, 10) if $seen;
            select undef, undef, undef, 0.03 unless $seen;
            $client->$way;
            like(log_line(), qr{^/${state}_$kind/\S+\|(?:499|200)\|client_closed
                \|}x, "$way in $state, $form, $kind: logged as that");
            nothing_left("$way in $state, $form, $kind");
        }

        # All was said: leaving is no failure.
        my $client = $gw->client->send('POST', "/done_$kind/$chat",
            $body{stream});
        $client->wait(sub { $_[0]{body} =~ /\[DONE\]/ }, 10);
        $client->$way;
        like(log_line(), qr{^/done_$kind/\S+\|200\|(?:-|client_closed)\|},
            "$way after the terminal event, $kind");
        nothing_left("$way after the terminal event, $kind");
    }
}

# Before the request is there.

for my $way (qw(close reset)) {
    for my $part ('POST', "POST /unfinished HTTP/1.1\r\nHost: a\r\nCont") {
        my $client = $gw->client->connect;
        $client->write($part);
        select undef, undef, undef, 0.03;
        $client->$way;
        log_line();
        nothing_left("$way in the request's header");
    }
    my $client = $gw->client->send('POST', "/ok_openai/$chat", undef,
        headers => { 'Content-Type' => 'application/json',
            'Content-Length' => 5000 });
    select undef, undef, undef, 0.03;
    $client->write('{"model":') if $way eq 'reset';
    select undef, undef, undef, 0.03;
    $client->$way;
    nothing_left("$way in the request's body");
    like(log_line(), qr/\|-$/, 'no provider was asked');
}

# Over TLS and HTTP/2: a curl that is ended.

for my $version ('--http1.1', '--http2') {
    for my $state (qw(waiting body endless)) {
        my $file = $gw->write_file('body.json', $body{stream});
        leave_with_curl(sub { $up->open }, $version, '-k', '-H',
            'Content-Type: application/json', '--data-binary', "\@$file",
            "https://127.0.0.1:$gw->{port2}/${state}_openai/$chat");
        like(log_line(), qr{^/${state}_openai/\S+\|(?:499|200)\|client_closed},
            "$version, $state: logged as that");
        nothing_left("$version, $state");
    }
}

###############################################################################
# many at random

my $seed = $ENV{AI_PROXY_SEED} // time;
my $many = $ENV{AI_PROXY_CLIENTS} // ($ENV{AI_PROXY_ASAN} ? 3000 : 500);
note("AI_PROXY_SEED=$seed AI_PROXY_CLIENTS=$many");
srand $seed;
my @live;
my $begun = 0;
my $end = Client::now() + 240;
while (($begun < $many || @live) && Client::now() < $end) {
    while ($begun < $many && @live < 60) {
        my $place = $places[rand @places];
        my $form = rand() < 0.3 ? 'plain' : 'stream';
        my $text = $body{$form};
        my $client = $gw->client(receive_buffer => 16384);
        $client->{until} = Client::now() + rand(rand() < 0.2 ? 0.3 : 0.05);
        if (rand() < 0.1) {
            # Some do not even end their request.
            $client->send('POST', "/$place/$chat", undef, headers => {
                'Content-Type' => 'application/json',
                'Content-Length' => length $text });
            $client->write(substr $text, 0, rand length $text);
        } else {
            $client->send('POST', "/$place/$chat", $text);
        }
        push @live, $client;
        $begun++;
    }
    my $now = Client::now();
    for my $client (@live) {
        if ($client->{until} <= $now) {
            rand() < 0.5 ? $client->close : $client->reset;
            $client->{gone} = 1;
        } elsif (rand() < 0.5) {
            # Read a little; the parsing does not matter here.
            sysread $client->{socket}, my $bytes, 4096;
        }
    }
    @live = grep { !$_->{gone} } @live;
    select undef, undef, undef, 0.002;
}
is($begun, $many, "$many clients came and went");
nothing_left('after all of them');
$gw->until(sub { metric('active_streams') == 0 });
is(metric('active_streams'), 0, 'no stream counts as running');

# Each request has one line and is counted once, and so is each of its tries;
# one whose header did not end is none.
my @lines;
$gw->until(sub {
    @lines = grep { m{^/(?!unfinished)} } $gw->log_lines('access.log', 1);
    @lines == metric('requests_total');
}, 10);
is(metric('requests_total'), scalar @lines, 'the books are closed once each');
my $tries = 0;
for my $line (@lines) {
    my $list = (split /\|/, $line)[3] // '-';
    $tries += () = $list =~ /[^ ,]+/g unless $list eq '-';
}
is(metric('tries_total'), $tries, 'each try is counted once');
is(Client::text($gw->client->post("/ok_openai/$chat", $body{plain})),
    'one two three', 'and all is well after that');

done($gw, $up);
