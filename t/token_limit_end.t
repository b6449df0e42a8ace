#!/usr/bin/perl

# A stream that spends its budget while it runs: with exhausted=end its client
# gets the finish of its dialect, and the provider is left.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

# The providers say more than any budget here, and then wait for ever.
my $words = 'word ' x 80;
sub gemini_event {
    return { candidates => [{ content => { role => 'model',
        parts => [{ text => $_[0] }] }, index => 0 }],
        modelVersion => 'g-1', responseId => 'r-1' };
}
my @gemini = map { gemini_event($_) } $words =~ /\S+\s*/g;
my %hold = (gate => 80, split => 7);
my $up = Upstream->start(
    openai => { events => stream_events($words), %hold },
    claude => { events => claude_events($words), %hold },
    gemini => { events => [@gemini, {}], %hold },
    whole => { events => stream_events($words) },
    plain => { json => chat_answer($words) });
my %type = (openai => 'openai', claude => 'claude', gemini => 'gemini',
    whole => 'openai', plain => 'openai');

# Each in a location and with a budget of its own.
my $limit = 'ai_proxy_token_limit key=$http_x_user reserve=off';
my @places = map { my $p = $_; map { "$_/$p" } qw(chat messages gemini
    responses) } sort keys %type, qw(inside mock);
my $gw = Gateway->start(
    http => zone() . "log_format j escape=none '\$ai_proxy_log';\n"
        . join('', map { provider($_ => $type{$_}, $up->url($_)) }
            sort keys %type)
        . provider(inside => openai => undef, 'location /internal/x;')
        . provider(mock => 'mock', undef, qq(reply "$words";)),
    access_log => '',
    server => "access_log %%DIR%%/logs/j.log j;\n"
        . join('', map { my ($p) = m{/(.*)}; "location /$_/ { "
            . "ai_proxy_pass $p; $limit rate=50/h exhausted=end name=$_; }\n"
            } @places)
        . <<"EOF");
location /finish/ { ai_proxy_pass whole; $limit rate=50/h name=f; }
location /log/ { ai_proxy_pass whole;
    $limit rate=50/h mode=log exhausted=end name=log; }
location /internal/x {
    internal;
    proxy_pass http://127.0.0.1:$up->{port}/x-openai;
    proxy_buffering off;
}
EOF

my $count = 0;
sub ask {
    my ($path, $body) = @_;
    my $reply = $gw->client->post($path, encode($body),
        headers => { 'X-User' => 'ann' });
    my @lines = $gw->log_lines('j.log', ++$count);
    return ($reply, decode($lines[-1]));
}

sub chat {
    my ($place, %fields) = @_;
    return ask("/$place/v1/chat/completions", decode(chat_body(%fields)));
}

# What the gateway says of it, and how much was said.
sub check_books {
    my ($log, $text, $name) = @_;
    is($log->{limit_status}, 'ended', "$name: limit_status");
    is($log->{finish_reason}, 'length', "$name: finish_reason");
    is($log->{usage_source}, 'estimated', "$name: usage_source");
    is($log->{error}, undef, "$name: no error");
    cmp_ok($log->{total_tokens}, '>', 50, "$name: the budget is spent");
    # Of the prompt, the provider may have counted another number than we.
    cmp_ok($log->{total_tokens}, '<=', 62, "$name: and no more than an event");
    is($text, substr($words, 0, length $text), "$name: the text so far");
    cmp_ok(abs($text =~ tr/ // - $log->{output_tokens}), '<=', 2,
        "$name: is what is counted");
}

sub check_left {
    my ($provider, $name) = @_;
    is($up->wait_outcome($provider, 'client_closed', 20)->{outcome},
        'client_closed', "$name: the provider is left");
    $up->clear;
}

for my $place (qw(openai claude gemini inside mock)) {
    my ($reply, $log) = chat("chat/$place", stream => \1,
        stream_options => { include_usage => \1 });
    my $name = "chat from $place";
    my @events = check_stream($reply, undef, $name);
    my ($usage) = grep { defined } map { $_->{usage} } grep { ref } @events;
    is($usage->{total_tokens}, $log->{total_tokens}, "$name: the usage chunk");
    my ($finish) = grep { defined } map { $_->{choices}[0]{finish_reason} }
        grep { ref && @{ $_->{choices} } } @events;
    is($finish, 'length', "$name: the finish");
    check_books($log, Client::text($reply), $name);
    check_left($place eq 'inside' ? 'openai' : $place, $name)
        if $place ne 'mock';
}

for my $provider (qw(claude openai)) {
    my ($reply, $log) = ask("/messages/$provider/v1/messages", { model => 'm',
        max_tokens => 20, stream => \1,
        messages => [{ role => 'user', content => 'hello' }] });
    my $name = "Messages from $provider";
    is($reply->{status}, 200, $name);
    ok($reply->{complete}, "$name: whole");
    my @events = Client::events($reply);
    is_deeply([map { $_->{type} } @events[-3 .. -1]],
        [qw(content_block_stop message_delta message_stop)], "$name: its end");
    is($events[-2]{delta}{stop_reason}, 'max_tokens', "$name: stop_reason");
    is($events[-2]{usage}{output_tokens}, $log->{output_tokens},
        "$name: usage");
    check_books($log, join('', map { $_->{delta}{text} // '' } @events), $name);
    check_left($provider, $name);
}

for my $provider (qw(gemini openai)) {
    my ($reply, $log) = ask("/gemini/$provider/v1beta/models/"
        . 'm:streamGenerateContent?alt=sse',
        { contents => [{ role => 'user', parts => [{ text => 'hello' }] }] });
    my $name = "Gemini from $provider";
    is($reply->{status}, 200, $name);
    ok($reply->{complete}, "$name: whole");
    my @events = Client::events($reply);
    is($events[-1]{candidates}[0]{finishReason}, 'MAX_TOKENS',
        "$name: finishReason");
    is($events[-1]{usageMetadata}{totalTokenCount}, $log->{total_tokens},
        "$name: usage");
    check_books($log, join('', map { $_->{candidates}[0]{content}{parts}[0]
        {text} // '' } @events), $name);
    check_left($provider, $name);
}

{
    my ($reply, $log) = ask('/responses/claude/v1/responses',
        { model => 'm', stream => \1, input => 'hello' });
    my @events = Client::events($reply);
    is($events[-1]{type}, 'response.incomplete', 'Responses: its end');
    is($events[-1]{response}{incomplete_details}{reason}, 'max_output_tokens',
        'Responses: the reason');
    check_books($log, $events[-1]{response}{output}[0]{content}[0]{text},
        'Responses');
    check_left('claude', 'Responses');
}

# What is not ended.

my ($reply, $log) = chat('finish', stream => \1);
check_stream($reply, $words, 'by default a stream runs to its end');
is($log->{limit_status}, 'passed', 'and has passed');
is($log->{usage_source}, 'provider', 'and is counted by its provider');
($reply, $log) = chat('log', stream => \1);
check_stream($reply, $words, 'with mode=log as well');
($reply, $log) = chat('chat/plain');
is(Client::text($reply), $words, 'a plain answer is whole');
is($log->{usage_source}, 'provider', 'and is counted by its provider');

# It is charged what it said.
($reply, $log) = chat('chat/whole', stream => \1);
check_stream($reply, undef, 'a stream');
my ($refused) = chat('chat/whole', max_tokens => 20);
check_error($refused, 429,
    qr/50 tokens per hour, $log->{total_tokens} used/, 'is charged what it said');

done($gw, $up);
